"""What a worker may do of the whole: each role scales by itself, and one worker may have them all."""

from enum import StrEnum


class Role(StrEnum):
    """One stage of the flow, as `undercurrent worker --only` names it."""

    INTAKE = "intake"
    CORRELATE = "correlate"
    NOTIFY = "notify"


ALL_ROLES = frozenset(Role)
