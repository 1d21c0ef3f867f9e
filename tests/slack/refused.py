"""How the test's Slack says no."""

from typing import Any


class RefusedError(Exception):
    """An answer `ok: false`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}
