"""What an envelope holds: log lines, readings and runtime events, each with the labels of its place."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.intake.record import malformed
from schemas import SampleKind

NAME_CHARACTERS_MAX = 253
"""Longest name of anything here: a DNS name, which bounds Kubernetes names as well."""

NO_LABELS: Mapping[str, Any] = {}


class Labels(NamedTuple):
    """Where a record comes from, in canonical names."""

    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    container_id: str | None = None
    host: str | None = None
    service: str | None = None
    image: str | None = None


NOWHERE = Labels()


class LogLine(NamedTuple):
    """One line as a container wrote it, or `fields` where the shipper has already parsed it.

    `written`: the envelope's time as it stands there, a number, RFC 3339 or None.
    `ended`: False where the runtime cut the line and the rest follows in the next record.
    `extra`: labels of the workload, for matchers.
    """

    text: str
    written: object
    labels: Labels = NOWHERE
    stream: str | None = None
    extra: Mapping[str, Any] = NO_LABELS
    fields: Mapping[str, Any] | None = None
    ended: bool = True


class Reading(NamedTuple):
    """Values of one kind at one place and time, in canonical names (docs/signals.md)."""

    kind: SampleKind
    values: dict[str, float | None]
    written: object
    labels: Labels
    source: str
    upstream: str | None = None
    domain: str | None = None
    extra: Mapping[str, Any] = NO_LABELS


class Lifecycle(NamedTuple):
    """A start (`status` None) or an exit of a container, as its runtime reports it."""

    started: bool
    status: int | None
    written: object
    labels: Labels
    domain: str | None = None


class Marker(NamedTuple):
    """The shipper has written everything up to `event_ns` (nanoseconds since 1970)."""

    event_ns: int


class Unwanted(NamedTuple):
    """Well understood and of no use, for a reason that is counted (`unknown_series`, …)."""

    reason: str


Entry = LogLine | Reading | Lifecycle | Marker | Unwanted


def labels(
    namespace: object = None,
    pod: object = None,
    container: object = None,
    container_id: object = None,
    host: object = None,
    service: object = None,
    image: object = None,
) -> Labels:
    """Labels from values as a shipper wrote them: names cut to a bound, ids bared of their runtime.

    Raises:
        RefusedError: one of them is something else than text.
    """
    try:
        return _labels(namespace, pod, container, container_id, host, service, image)
    except TypeError as error:  # unhashable: an object or a list
        raise malformed(f"labels: expected text, {error}") from error


@lru_cache(maxsize=4096)
def _labels(*values: object) -> Labels:
    """Cached, because there are few places and many lines."""
    cleaned = [_name(field, value) for field, value in zip(Labels._fields, values, strict=True)]
    found = Labels(*cleaned)
    return found._replace(
        container=(found.container or "").lstrip("/") or None,
        container_id=(found.container_id or "").rpartition("//")[2] or None,
    )


def _name(field: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value[:NAME_CHARACTERS_MAX] if value else None
    raise malformed(f"{field}: expected text, found {type(value).__name__}")


def text_at(fields: Mapping[str, Any], name: str) -> str | None:
    """The text in `fields[name]`, None where absent or null.

    Raises:
        RefusedError: it is something else than text.
    """
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise malformed(f"{name}: expected text, found {type(value).__name__}")


def mapping_at(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object in `fields[name]`, empty where absent or null.

    Raises:
        RefusedError: it is something else than an object.
    """
    value = fields.get(name)
    if value is None:
        return NO_LABELS
    if isinstance(value, dict):
        return value
    raise malformed(f"{name}: expected an object, found {type(value).__name__}")


def labels_of(fields: object) -> Mapping[str, Any]:
    """Workload labels as they stand; what is no object has none. Their values are checked on use."""
    return fields if isinstance(fields, dict) else NO_LABELS


DOCKER_PIECE_BYTES = 16_384
"""Docker's buffer (moby's logger/copier.go): a longer line is cut at exactly so many bytes."""


def is_cut_by_docker(text: str) -> bool:
    """Whether `text` is a piece of a longer line: only the last piece ends in a newline."""
    if len(text) > DOCKER_PIECE_BYTES or len(text) * 4 < DOCKER_PIECE_BYTES or text.endswith("\n"):
        return False
    return len(text.encode("utf-8", "surrogatepass")) == DOCKER_PIECE_BYTES


LIFTED = ("msg", "err.detail", "err.code", "err", "level")
"""Fields of a service's JSON line that a shipper has lifted to its own top level."""


def line_of(
    fields: Mapping[str, Any],
    names: tuple[str, ...],
    written: object,
    where: Labels,
    stream: str | None = None,
    extra: Mapping[str, Any] = NO_LABELS,
    ended: bool = True,
) -> LogLine:
    """The log line under the first of `names` that is there: text, or an object parsed by the shipper.

    Raises:
        RefusedError: there is none, or it is neither.
    """
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            return LogLine(value, written, where, stream, extra, None, ended and not is_cut_by_docker(value))
        if isinstance(value, dict):
            return LogLine("", written, where, stream, extra, value, ended)
        if value is not None:
            raise malformed(f"{name}: expected text, found {type(value).__name__}")
    if any(name in fields for name in LIFTED):
        return LogLine("", written, where, stream, extra, fields, ended)
    raise malformed(f"no log line under {' or '.join(names)}")
