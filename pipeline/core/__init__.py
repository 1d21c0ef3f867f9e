"""The core: signals in, changes and decisions out. No clock, no I/O, no randomness, no logging.

`Correlator` is one domain, `Watermark` is the event time of one partition of signals. The order of
one settled second is fixed: gather → follow → open → rule.
"""

from pipeline.core.correlator import Correlator, Output
from pipeline.core.progress import Watermark

__all__ = ["Correlator", "Output", "Watermark"]
