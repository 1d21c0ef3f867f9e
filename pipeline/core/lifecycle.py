"""The life of an incident as a table. Laws:

- an incident is opened once; its id never changes, whatever its cause turns out to be;
- every change carries a reason; a pair that is not in the table is a bug and raises;
- `resolved` is not the end: trouble that returns in time reopens the same incident.
"""

from schemas import ChangeKind, IncidentState

START = None

TRANSITIONS: dict[tuple[IncidentState | None, ChangeKind], IncidentState] = {
    (START, ChangeKind.OPENED): IncidentState.OPEN,
    (IncidentState.OPEN, ChangeKind.JOINED): IncidentState.OPEN,
    (IncidentState.OPEN, ChangeKind.DIAGNOSED): IncidentState.OPEN,
    (IncidentState.OPEN, ChangeKind.ESCALATED): IncidentState.OPEN,
    (IncidentState.OPEN, ChangeKind.LATE): IncidentState.OPEN,
    (IncidentState.OPEN, ChangeKind.RECOVERING): IncidentState.RECOVERING,
    (IncidentState.RECOVERING, ChangeKind.JOINED): IncidentState.OPEN,
    (IncidentState.RECOVERING, ChangeKind.DIAGNOSED): IncidentState.RECOVERING,
    (IncidentState.RECOVERING, ChangeKind.ESCALATED): IncidentState.OPEN,
    (IncidentState.RECOVERING, ChangeKind.LATE): IncidentState.RECOVERING,
    (IncidentState.RECOVERING, ChangeKind.RESOLVED): IncidentState.RESOLVED,
    (IncidentState.RECOVERING, ChangeKind.REOPENED): IncidentState.OPEN,
    (IncidentState.RESOLVED, ChangeKind.LATE): IncidentState.RESOLVED,
    (IncidentState.RESOLVED, ChangeKind.REOPENED): IncidentState.OPEN,
}


def after(state: IncidentState | None, change: ChangeKind) -> IncidentState:
    """The state after `change`.

    Raises:
        ValueError: the change cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, change]
    except KeyError:
        raise ValueError(f"an incident that is {state or 'not there yet'} cannot be {change}") from None
