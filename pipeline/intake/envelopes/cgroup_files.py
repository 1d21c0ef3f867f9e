"""Files of a cgroup as `tail -n +1 cpu.* memory.*` prints them: a header line with the name, then the file.

What a few lines of shell can send where no exporter may be installed. The place is the container whose
id stands in the path; the time is the Kafka timestamp.
"""

import re
from collections.abc import Sequence

from pipeline.intake.cgroup import FILES, container_of, fields_of_file, values_of
from pipeline.intake.entry import Entry, Reading, Unwanted, labels

_HEADER = re.compile(r"^==>? ?([^\s=][^\n]{0,1023}?)(?: <==)?$", re.MULTILINE)
_BEGIN_CHARACTERS = 512


def looks_like_cgroup_files(text: str) -> bool:
    """Whether a text begins with the header of a file that is read, perhaps after comments."""
    if not text.startswith(("=", "#")):
        return False
    found = _HEADER.search(text, 0, _BEGIN_CHARACTERS)
    return found is not None and _name(found[1]) in FILES


def decode_cgroup_files(text: str) -> Sequence[Entry]:
    """A CPU and a memory reading of one container.

    Raises:
        RefusedError: a known field is no number.
    """
    headers = list(_HEADER.finditer(text))
    fields: dict[str, str] = {}
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        if _name(header[1]) in FILES:
            body = text[header.end() : following.start() if following else len(text)]
            fields |= fields_of_file(_name(header[1]), body)
    where = labels(container_id=container_of(headers[0][1]))
    found = values_of(fields)
    return [Reading(kind, values, None, where, "cgroup") for kind, values in found.items()] or [
        Unwanted("unknown_series")
    ]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
