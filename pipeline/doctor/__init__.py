"""The doctor: what do the raw topics hold, and which causes could be proven with it?

`look` folds raw records into what was recognised, `needs` weighs that against what each cause asks for
(docs/causes.md). Pure, like everything here: records in, findings out.
"""

from pipeline.doctor.look import Input, Look, Reading, Refused
from pipeline.doctor.needs import Diagnosis, Need, Outlook, diagnose

__all__ = ["Diagnosis", "Input", "Look", "Need", "Outlook", "Reading", "Refused", "diagnose"]
