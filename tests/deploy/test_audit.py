"""The audit of the lock: a finding fails, a service out of reach is told and fails nothing."""

import json

import pytest

from tools.audit import judged

HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": "…"}
SAFE = {"name": "safe", "version": "1.0", "vulns": []}
HOLED = {"name": "holed", "version": "1.0", "vulns": [HOLE]}
SKIPPED = {"name": "away", "skip_reason": "Dependency not found on PyPI and could not be audited: away (1.0)"}


@pytest.mark.parametrize(
    ("packages", "code", "word"),
    [
        ([SAFE], 0, "no hole is known in 1 packages"),
        ([SAFE, SKIPPED], 0, "1 were NOT AUDITED"),
        ([SAFE, SKIPPED, HOLED], 1, "holed 1.0: PYSEC-2026-1, mended in 2.0"),
        ([SKIPPED], 0, "NOT AUDITED"),
    ],
)
def test_only_a_finding_fails(packages: list[dict[str, object]], code: int, word: str) -> None:
    """What could not be asked about is never passed off as safe."""
    found = judged(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found[0] == code
    assert word in found[1]


def test_a_service_out_of_reach_is_told() -> None:
    """pip-audit's last words stand in the answer."""
    code, word = judged("", "Traceback …\nrequests.exceptions.ConnectionError: no route to host\n")
    assert (code, word) == (0, "NOT AUDITED: requests.exceptions.ConnectionError: no route to host")
