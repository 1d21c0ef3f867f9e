"""`undercurrent dead-letters list|show|retry`: look at the records nobody could read, and put them back."""

import base64
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from kafka.errors import KafkaError

from agents.commands.options import config_option, quiet_kafka, settings_from
from agents.letters.reading import Filter, Kept, chosen, instant, letters_in
from agents.letters.retrying import IMPOSSIBLE, PUT_BACK, SKIPPED, Done, Retry, writer
from agents.past import Past, PastError, past
from agents.settings import Settings
from pipeline.explain import where
from pipeline.letters import place
from pipeline.redact import redactor
from pipeline.render.clean import cut, visible
from schemas import DeadLetterReason, Origin

DETAIL_MAX = 100


class _Id(click.ParamType):
    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Origin:
        """Read topic:partition:offset."""
        return place(str(value)) or self.fail(
            f"a record is named as topic:partition:offset, found {visible(str(value))!r}", param, ctx
        )


class _Since(click.ParamType):
    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read an age or a time."""
        try:
            return instant(str(value), time.time())  # noqa: TID251  an age is counted from now
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--since",
            type=_Since(),
            metavar="WHEN",
            help="Kept at or after: an age (90s, 30m, 2h, 7d) or a time (2026-11-24T09:00:00Z).",
        ),
        click.option("--topic", "topics", multiple=True, metavar="NAME", help="From this topic; repeatable."),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in DeadLetterReason]),
            help="Refused for this reason; repeatable.",
        ),
    ):
        command = option(command)
    return command


_timeout = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long reading Kafka may take.",
)


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at the records nobody could read, and put them back when their cause is mended.

    Kafka's topics are read without joining a group: nothing moves. Exit code 0: done; 1: Kafka cannot
    be read in time, there is no such letter, or a record could not be put back; 2: wrong usage.
    """


@dead_letters.command("list")
@_filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the bytes as text.")
@config_option
@_timeout
def list_(
    since: float | None,
    topics: tuple[str, ...],
    reasons: tuple[str, ...],
    limit: int,
    as_json: bool,
    config: Path | None,
    timeout_seconds: float,
) -> None:
    """List dead letters, oldest first, and count them by topic and reason."""
    with _reading(config, timeout_seconds) as (settings, _, letters):
        fit = [one for one in letters if _filter(reasons, topics, since).fits(one)]
    for one in fit[-limit:]:
        click.echo(orjson.dumps(_as_json(one, settings)).decode() if as_json else visible(_line(one)))
    if not as_json:
        click.echo(visible(_summary(fit, limit)))


@dead_letters.command("show")
@click.argument("identity", metavar="ID", type=_Id())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
@_timeout
def show(identity: Origin, as_json: bool, config: Path | None, timeout_seconds: float) -> None:
    """Show one dead letter with its bytes: secrets hidden, nothing in them acts on the terminal.

    ID is the place of the refused record, or of the letter itself, as topic:partition:offset.
    """
    with _reading(config, timeout_seconds) as (settings, _, letters):
        one = _named(letters, (identity,))[0]
    if as_json:
        click.echo(orjson.dumps(_as_json(one, settings)))
        return
    for name, value in _as_json(one, settings).items():
        if value is not None and name not in ("value", "key"):
            click.echo(f"{name.replace('_', ' '):<12} {visible(str(value))}")
    for name in ("key", "value"):
        text = _as_json(one, settings)[name]
        if text is not None:
            click.echo(f"\n{name}:\n{visible(text)}")


@dead_letters.command("retry")
@click.argument("identities", metavar="[ID]...", type=_Id(), nargs=-1)
@_filters
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--again", is_flag=True, help="Those as well that were put back and refused again.")
@click.option("--dry-run", is_flag=True, help="Write nothing: say what would be done.")
@config_option
@_timeout
def retry(
    identities: tuple[Origin, ...],
    since: float | None,
    topics: tuple[str, ...],
    reasons: tuple[str, ...],
    everything: bool,
    again: bool,
    dry_run: bool,
    config: Path | None,
    timeout_seconds: float,
) -> None:
    """Put original records back into the raw topics they came from, with key, timestamp and a mark.

    Name them by ID, or choose them by --reason, --topic, --since or --all. A record that was put back
    is not put back a second time, and one that is refused again is left alone unless --again is given.
    """
    filters = bool(reasons or topics or since is not None)
    if everything + bool(identities) + filters != 1:
        raise click.UsageError(
            "name records by ID, or choose them by --reason, --topic and --since, or --all"
        )
    with _reading(config, timeout_seconds) as (settings, reader, letters):
        meant = (
            _named(letters, identities)
            if identities
            else [one for one in letters if _filter(reasons, topics, since).fits(one)]
        )
        with nullcontext() if dry_run else writer(settings, timeout_seconds) as producer:
            done = []
            for one in Retry(settings, reader, producer, timeout_seconds, again).each(meant):
                click.echo(visible(_told(one, dry_run)))
                done.append(one)
    outcomes = Counter(one.outcome for one in done)
    verb = "would be put back" if dry_run else "put back"
    click.echo(
        f"{outcomes[PUT_BACK]} of {len(done)} records {verb}, {outcomes[SKIPPED]} skipped, "
        f"{outcomes[IMPOSSIBLE]} cannot be"
    )
    if outcomes[IMPOSSIBLE]:
        raise SystemExit(1)


@contextmanager
def _reading(config: Path | None, timeout_seconds: float) -> Iterator[tuple[Settings, Past, list[Kept]]]:
    """Settings, a reader, and all dead letters there are; what Kafka refuses becomes one sentence."""
    quiet_kafka()
    settings = settings_from(config, os.environ)
    try:
        with past(settings, timeout_seconds) as reader:
            letters, unreadable = letters_in(reader, settings.topics.dead_letters)
            if unreadable:
                click.echo(f"note: {unreadable} records of the topic are no dead letters", err=True)
            yield settings, reader, letters
    except (PastError, KafkaError) as error:
        raise click.ClickException(visible(str(error))) from error


def _filter(reasons: tuple[str, ...], topics: tuple[str, ...], since: float | None) -> Filter:
    return Filter(frozenset(map(DeadLetterReason, reasons)), frozenset(topics), since)


def _named(letters: list[Kept], identities: tuple[Origin, ...]) -> list[Kept]:
    found = []
    for identity, one in chosen(letters, identities):
        if one is None:
            raise click.ClickException(
                f"there is no dead letter {where(identity)}: `undercurrent dead-letters list` has them all"
            )
        found.append(one)
    return found


def _line(one: Kept) -> str:
    letter = one.letter
    detail = cut(letter.detail, DETAIL_MAX)
    state = "" if one.state == "new" else f"  [{one.state}]"
    return f"{_time(one.kept_at)}  {where(letter.origin)}  {letter.reason.value}  {detail}{state}"


def _summary(letters: list[Kept], limit: int) -> str:
    counts = Counter((one.letter.origin.topic, one.letter.reason.value) for one in letters)
    listed = ", ".join(f"{topic} {reason} {count}" for (topic, reason), count in sorted(counts.items()))
    shown = f", the newest {limit} shown" if len(letters) > limit else ""
    total = f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"
    return f"{total}{shown}{': ' if listed else ''}{listed}"


def _told(done: Done, dry_run: bool) -> str:
    name = where(done.kept.letter.origin)
    if done.outcome == PUT_BACK:
        return (
            f"{name}: would be put back"
            if dry_run or done.to is None
            else f"{name}: put back as {where(done.to)}"
        )
    return f"{name}: {'skipped' if done.outcome == SKIPPED else 'cannot be put back'}: {done.why}"


def _as_json(one: Kept, settings: Settings) -> dict[str, Any]:
    """A letter as plain values; bytes as text without secrets, what is no UTF-8 as `\\xff`."""
    letter = one.letter
    hide = redactor(settings.intake.redact_emails)

    def text(encoded: str | None) -> str | None:
        return (
            None if encoded is None else hide(base64.b64decode(encoded).decode("utf-8", "backslashreplace"))
        )

    return {
        "record": where(letter.origin),
        "letter": where(one.place),
        "reason": letter.reason.value,
        "detail": letter.detail,
        "kept_at": _time(one.kept_at),
        "written_at": None if letter.timestamp_ms is None else _time(letter.timestamp_ms / 1000),
        "size_bytes": letter.size_bytes,
        "redacted": letter.redacted,
        "state": one.state,
        "put_back": one.put_back and where(one.put_back),
        "retry_of": letter.retry_of and where(letter.retry_of),
        "key": text(letter.key_base64),
        "value": text(letter.value_base64),
    }


def _time(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else "-"
    except (OverflowError, ValueError):
        return "-"  # a producer may claim any time
