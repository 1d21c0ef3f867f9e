"""Where the content of a log went: the file beside it that was renamed, or that it was copied to."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from agents.shippers.places import Place

COMPARED_BYTES = 1 << 20
"""A file whose first and last megabyte stand in another one as well is a copy of it."""

LOOKS_MAX = 100
BETWEEN_LOOKS_SECONDS = 0.01
"""How often a folder is looked at until rotation leaves it alone for the length of a look."""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z")
_ROTATED = re.compile(r".*(\.\d{1,3}|[.-]\d{6,}[\dTZ._-]*|\.old|\.bak|~|\.partial|\.tmp)", re.ASCII)
_DATED = re.compile(r"[.-]\d[\dTZ._:-]*", re.ASCII)


def looks_rotated(path: str) -> bool:
    """Whether a file is an older one, by its name: those are found through their successors."""
    name = path.rpartition("/")[2]
    return name.endswith(_COMPRESSED) or _ROTATED.fullmatch(name) is not None


def siblings(real: str) -> list[BinaryIO]:
    """Open the files that rotation may have made of `real`: `x.log.1`, `x.log-20260801`, `x-20260801.log`.

    All that lie there at one moment: where rotation moves them while they are opened, the look is repeated.
    Those that may not be read are left out.
    """
    for _ in range(LOOKS_MAX):
        listed = _listed(real)
        opened = list(_opened(listed))
        if _listed(real) == listed:
            return opened
        close(opened)
        time.sleep(BETWEEN_LOOKS_SECONDS)
    return list(_opened(_listed(real)))  # a folder that never stands still: what is there now


def _listed(real: str) -> dict[str, int]:
    """Paths beside `real` that look like older ones of it, with their inodes."""
    folder, _, name = real.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    try:
        entries = list(os.scandir(folder or "/"))
    except OSError:
        return {}
    return {
        entry.path: entry.inode()
        for entry in entries
        if entry.name != name
        and not entry.name.endswith(_COMPRESSED)
        and (entry.name.startswith((f"{name}.", f"{name}-")) or _is_dated(entry.name, stem, dot + suffix))
        and entry.is_file()
    }


def _is_dated(name: str, stem: str, suffix: str) -> bool:
    middle = name.removeprefix(stem).removesuffix(suffix)
    return (
        bool(stem)
        and name.startswith(stem)
        and name.endswith(suffix)
        and _DATED.fullmatch(middle) is not None
    )


def find(place: Place, all_places: Iterable[Place]) -> BinaryIO | None:
    """Open the file that holds `place` now: the same file under any name, else a copy of its content.

    Its own path comes first: what has left it by then lies beside it by the time that is looked at. One of
    which no content is known is found there only: by its number alone a new file may be taken for it.
    """
    others = [other for other in all_places if other is not place]

    def holds(file: BinaryIO) -> bool:
        is_same = number(file) == (place.device, place.inode)
        return (is_same or (place.is_known_by_content and not _is_taken(file, others))) and place.is_in(file)

    for file in _opened([place.real]):
        if holds(file) and (place.is_known_by_content or not place.rotated):
            return file
        file.close()
    if not place.is_known_by_content:
        return None
    opened = sorted(siblings(place.real), key=_modified)
    likely = [file for file in opened if number(file) == (place.device, place.inode)]
    likely += [file for file in opened if _modified(file) >= place.modified_ns]
    found = next((file for file in [*likely, *opened] if holds(file)), None)
    close(file for file in opened if file is not found)
    return found


def unseen(
    last: Place,
    current: Place,
    current_file: BinaryIO,
    all_places: Iterable[Place],
    held: set[tuple[int, int]],
) -> list[BinaryIO]:
    """Files between `last` and `current`, which has its path now, that came and went unseen; oldest first.

    They were written to after `last` was read, are not `held` open, are no copy of `current` that is just
    being made, and hold nothing that is already shipped. Numbers of files that are not open tell nothing: the
    system gives the number of a deleted file to the next one.
    """
    shipped = [other for other in all_places if other.real == last.real and (other.finished or other.buffer)]

    def is_new(file: BinaryIO) -> bool:
        status = os.fstat(file.fileno())
        return (
            status.st_size > 0
            and status.st_mtime_ns >= last.modified_ns
            and number(file) not in held
            and not any(other.is_known_by_content and other.is_in(file) for other in shipped)
            and not _begins_as(current_file, file)
            # What was a copy of it a moment ago is one still, though it is truncated now.
            and not (current.is_known_by_content and current.is_in(file) and not current.is_in(current_file))
        )

    opened = siblings(last.real)
    found = [file for file in opened if is_new(file)]
    close(file for file in opened if file not in found)
    return sorted(found, key=_modified)


def _is_taken(file: BinaryIO, others: Iterable[Place]) -> bool:
    """Whether this very file is known to hold another generation."""
    return any(
        other.is_known_by_content and (other.device, other.inode) == number(file) and other.is_in(file)
        for other in others
    )


def _begins_as(file: BinaryIO, copy: BinaryIO) -> bool:
    """Whether what `copy` has so far is what `file` begins with, as far as it is worth comparing."""
    size = os.fstat(copy.fileno()).st_size
    parts = [(at, os.pread(copy.fileno(), COMPARED_BYTES, at)) for at in (0, max(0, size - COMPARED_BYTES))]
    return all(os.pread(file.fileno(), len(part), at) == part for at, part in parts)


def _modified(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_mtime_ns


def _opened(paths: Iterable[str]) -> Iterator[BinaryIO]:
    for path in paths:
        try:
            yield open(path, "rb", buffering=0)  # noqa: SIM115 - handed over to whoever asked
        except OSError:
            continue


def close(files: Iterable[BinaryIO]) -> None:
    """Close all of them."""
    for file in files:
        file.close()


def number(file: BinaryIO) -> tuple[int, int]:
    """Device and inode."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
