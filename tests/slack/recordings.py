"""What every recording of the corpus and the samples ends with, replayed once for all tests."""

from functools import cache
from pathlib import Path

from agents.recordings.arrivals import lay_out, layout_of
from agents.recordings.envelopes import fluent_bit
from agents.recordings.recording import read_recording
from agents.recordings.replay import Outcome, run
from agents.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = {path.name.split(".")[0]: path for path in sorted((ROOT / "corpus" / "recordings").iterdir())}
"""Name to path of every real recording there is."""


@cache
def replayed(name: str) -> Outcome:
    """Everything that is said of the recording."""
    settings = Settings()
    arrivals = lay_out(read_recording(RECORDINGS[name]), layout_of(fluent_bit, True, settings.topics))
    return run(arrivals, settings.intake_config(), settings.rules)
