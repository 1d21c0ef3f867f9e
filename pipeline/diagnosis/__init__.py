"""Five causes, each in its own file, those the rules declare, and the weighing of them into one verdict.

Every cause says what it needs, what refutes it and what it explains; `weigh` is the only place that
compares them. All of it is a pure function of what is settled.
"""

from pipeline.diagnosis.finding import Explains, Finding, Standing
from pipeline.diagnosis.view import View
from pipeline.diagnosis.weigh import Verdict, finding_on, is_due, weigh, weigh_as

__all__ = ["Explains", "Finding", "Standing", "Verdict", "View", "finding_on", "is_due", "weigh", "weigh_as"]
