"""Where the content of a log went: the file beside it that was renamed, or that it was copied to."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from agents.shippers.places import Place

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z")
_ROTATED = re.compile(r".*(\.\d{1,3}|[.-]\d{6,}[\dTZ._-]*|\.old|\.bak|~|\.partial|\.tmp)", re.ASCII)
_DATED = re.compile(r"[.-]\d[\dTZ._:-]*", re.ASCII)


def looks_rotated(path: str) -> bool:
    """Whether a file is an older one, by its name: those are found through their successors."""
    name = path.rpartition("/")[2]
    return name.endswith(_COMPRESSED) or _ROTATED.fullmatch(name) is not None


def siblings(real: str) -> list[os.DirEntry[str]]:
    """Files that rotation may have made of `real`: `x.log.1`, `x.log-20260801`, `x-20260801.log`."""
    folder, _, name = real.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    try:
        entries = list(os.scandir(folder or "/"))
    except OSError:
        return []
    return [
        entry
        for entry in entries
        if entry.name != name
        and not entry.name.endswith(_COMPRESSED)
        and (entry.name.startswith((f"{name}.", f"{name}-")) or _is_dated(entry.name, stem, dot + suffix))
        and entry.is_file()
    ]


def _is_dated(name: str, stem: str, suffix: str) -> bool:
    middle = name.removeprefix(stem).removesuffix(suffix)
    return (
        bool(stem)
        and name.startswith(stem)
        and name.endswith(suffix)
        and _DATED.fullmatch(middle) is not None
    )


def find(place: Place, used: set[tuple[int, int]]) -> BinaryIO | None:
    """Open the file that holds `place` now: the same file under any name, else a copy of its content."""
    candidates = [Path(place.real), *(Path(entry.path) for entry in siblings(place.real))]
    opened = list(open_all(candidates))
    same = [file for file in opened if number(file) == (place.device, place.inode)]
    copies = [file for file in opened if place.is_known_by_content and number(file) not in used]
    found = next((file for file in [*same, *copies] if place.is_in(file)), None)
    for file in opened:
        if file is not found:
            file.close()
    return found


def unseen(place: Place, all_places: Iterable[Place], held: set[tuple[int, int]]) -> list[BinaryIO]:
    """Files between `place` and the one that has its path now, which came and went unseen; oldest first.

    They were written to after `place` was last read, and neither their content nor, of those `held` open,
    their number is known: the system gives the number of a deleted file to the next one.
    """
    recent = [
        Path(entry.path)
        for entry in siblings(place.real)
        if (status := entry.stat()).st_size and status.st_mtime_ns >= place.modified_ns
    ]
    known = [other for other in all_places if other.is_known_by_content and other.real == place.real]
    found = []
    for file in open_all(recent):
        if number(file) in held or any(other.is_in(file) for other in known):
            file.close()
        else:
            found.append(file)
    return sorted(found, key=lambda file: os.fstat(file.fileno()).st_mtime_ns)


def open_all(paths: Iterable[Path]) -> Iterator[BinaryIO]:
    """Open what is there; what has gone since or may not be read is left out."""
    for path in paths:
        try:
            yield path.open("rb", buffering=0)
        except OSError:
            continue


def number(file: BinaryIO) -> tuple[int, int]:
    """Device and inode."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino
