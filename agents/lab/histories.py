"""Finds what the laboratory works on: cases of corpora, recordings, and files of any shipper."""

import tarfile
from collections.abc import Iterable
from pathlib import Path

from agents.recordings.recording import NotARecordingError, read_recording
from agents.scoring.score import Case, CorpusError, Recorded, read_corpus
from agents.scoring.truth import Truth

CORPUS = Path("corpus")


def labelled(folders: Iterable[Path], only: str = "") -> list[Case]:
    """Every case of the corpora in `folders` (default: corpus) whose name contains `only`.

    Raises:
        CorpusError: a folder holds no corpus, or nothing has such a name.
    """
    cases = [case for folder in tuple(folders) or (CORPUS,) for case in read_corpus(folder)]
    return _named(cases, only)


def find_histories(paths: Iterable[Path], only: str = "") -> tuple[list[Case], list[Path]]:
    """Cases and recordings among `paths` whose name contains `only`, and the files that are neither.

    A folder with truth.json or scenarios is a corpus, one with plan_<instance>.json or a tar archive a
    recording; anything else is read as agents/history reads files.

    Raises:
        CorpusError: a corpus or a recording cannot be read, or nothing has such a name.
    """
    cases: list[Case] = []
    files: list[Path] = []
    for path in tuple(paths) or (CORPUS,):
        if (path / "truth.json").exists() or (path / "scenarios").is_dir():
            cases += read_corpus(path)
        elif _is_recording(path):
            try:
                cases.append(Recorded(read_recording(path).name, path, Truth()))
            except NotARecordingError as error:
                raise CorpusError(str(error)) from error
        else:
            files.append(path)
    return (_named(cases, only) if cases or not files else []), files


def _is_recording(path: Path) -> bool:
    if path.is_dir():
        return any(next(path.glob(pattern), None) for pattern in ("plan_*.json", "*/plan_*.json"))
    return path.is_file() and tarfile.is_tarfile(path)


def _named(cases: list[Case], only: str) -> list[Case]:
    found = [case for case in cases if only in case.name]
    if not found:
        raise CorpusError(f"no history has {only!r} in its name")
    return found
