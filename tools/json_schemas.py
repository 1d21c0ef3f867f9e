"""JSON Schemas of every record Undercurrent writes, and the page's API, from the models: `make schemas`.

One file per record in docs/schemas/, named by the record's `type`. `rules` is no record: it is the
part of the settings file that tunes the core.
"""

import json
import sys
from pathlib import Path

from pipeline.page.openapi import document
from schemas import (
    WIRE_VERSION,
    Change,
    DeadLetter,
    DeadLetterRetry,
    Decision,
    EventTime,
    Feedback,
    Frame,
    Heard,
    Progress,
    Rules,
)
from schemas.base import Noun

RECORDS: tuple[type[Noun], ...] = (
    Frame,
    Progress,
    Change,
    Decision,
    Feedback,
    Heard,
    EventTime,
    DeadLetter,
    DeadLetterRetry,
)
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
OPENAPI = FOLDER.parent / "openapi.json"


def documents() -> dict[str, str]:
    """File name → text of every schema, ready to be written or compared."""
    bodies = {record.model_fields["type"].default: _record_schema(record) for record in RECORDS}
    bodies["rules"] = Rules.model_json_schema()
    return {
        f"{name}.json": json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}, indent=2
        )
        + "\n"
        for name, body in bodies.items()
    }


def openapi() -> str:
    """The description of the page's JSON API."""
    return json.dumps(document(), indent=2) + "\n"


def _record_schema(record: type[Noun]) -> dict[str, object]:
    """The model's schema with what `schemas.wire.encode` adds (`v`) and always writes (`type`)."""
    body = record.model_json_schema()
    version = {"const": WIRE_VERSION, "description": "Wire version; a reader refuses a newer one."}
    body["properties"] = {"v": version, **body["properties"]}
    body["required"] = ["v", "type", *body["required"]]
    return body


def main() -> None:
    """Write all schemas and remove those of records that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = documents()
    for path in FOLDER.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    OPENAPI.write_text(openapi(), encoding="utf-8")
    sys.stdout.write(f"{len(texts)} schemas written to {FOLDER}\n")


if __name__ == "__main__":
    main()
