"""Files of the test's Slack: announced, uploaded, shared (files.getUploadURLExternal and what follows)."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.slack.refused import RefusedError

ALT_TEXT_MAX = 1000
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Upload:
    """One file on its way. `content` is None until its bytes came, `shared` once it was completed."""

    name: str
    length: int
    alt_text: str
    content: bytes | None = None
    shared: bool = False


@dataclass
class Uploads:
    """All files by id."""

    files: dict[str, Upload] = field(default_factory=dict)

    def begin(self, arguments: dict[str, Any]) -> str:
        """files.getUploadURLExternal: returns the file's id."""
        name, length = arguments.get("filename", ""), int(arguments.get("length", 0))
        if not name or length <= 0:
            raise RefusedError("invalid_arguments")
        if len(arguments.get("alt_txt", "")) > ALT_TEXT_MAX:
            raise RefusedError("invalid_arguments", detail="alt_txt")
        identity = f"F{len(self.files):06d}"
        self.files[identity] = Upload(name, length, arguments.get("alt_txt", ""))
        return identity

    def take(self, identity: str, content: bytes) -> bool:
        """The bytes; False if they are not as long as was said, or come twice."""
        upload = self.files.get(identity)
        if upload is None or upload.content is not None or len(content) != upload.length:
            return False
        upload.content = content
        return True

    def complete(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """files.completeUploadExternal: the files as they stand in the message."""
        given = arguments.get("files", "[]")
        wanted = json.loads(given) if isinstance(given, str) else given
        shown = []
        for one in wanted:
            upload = self.files.get(one["id"])
            if upload is None or upload.content is None or upload.shared:
                raise RefusedError("file_not_found")
            upload.shared = True
            shown.append({"id": one["id"], "name": upload.name, "title": one.get("title", upload.name)})
        return shown
