"""Intake: what shippers write to the raw topics → signals, step by step, one file each.

`relevance` lets go what cannot matter, `envelope` finds the shipper's decoder, `unwrap` peels wrappers,
`rejoin` puts split lines together, `logrus` reads fields, `classify` says what a line tells, `dating`
when, `identity` where, `rollup` counts it by second and place. `intake` leads a record through them;
readings branch off after `envelope` (`metrics`, `series`, `exposition`).
"""

from pipeline.intake.intake import Intake
from pipeline.intake.record import Batch, Counts, DomainRule, IntakeConfig, RawRecord, Run, Source

__all__ = ["Batch", "Counts", "DomainRule", "Intake", "IntakeConfig", "RawRecord", "Run", "Source"]
