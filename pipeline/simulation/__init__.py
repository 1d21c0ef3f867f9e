"""A small queueing simulation of a container registry in front of a storage, with its clients.

It knows how such a system works (a CPU quota in periods, a run queue, sequential storage calls, a
connection pool, lookups, timeouts, attempts, memory and its killer) and nothing about what reads its
output: what is called starved, slow or failing is decided elsewhere. Its figures are compared with
recordings of real registries in docs/score.md.

`simulate` turns a `Plan` and a source of chance into raw output, that is log lines and readings as
exporters write them, and into a ledger of what the clients saw, which is the truth of the story.
"""

from pipeline.simulation.kernel import Chance
from pipeline.simulation.ledger import Attempt, Ledger
from pipeline.simulation.output import Line, Output, Taken
from pipeline.simulation.plan import Change, InstancePlan, Knobs, Plan, PlanError, knobs_of
from pipeline.simulation.world import Story, simulate

__all__ = [
    "Attempt",
    "Chance",
    "Change",
    "InstancePlan",
    "Knobs",
    "Ledger",
    "Line",
    "Output",
    "Plan",
    "PlanError",
    "Story",
    "Taken",
    "knobs_of",
    "simulate",
]
