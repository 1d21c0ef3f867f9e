"""Content → the terminal: the same story as Slack's, calm and at most 100 columns wide.

What is built here is a rich renderable. Colours are styles, which rich drops where there is no
terminal; every state has its word and a shape of its own beside its colour. Text enters as `Text`
and never as markup, and `visible` has made its control characters show instead of act.
"""

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from pipeline.render.clean import cut, visible
from pipeline.render.story import Counts, Some, Standing, Story, joined, reply, story
from pipeline.render.words import Words, clock
from pipeline.telling import Reply
from schemas import Change, IncidentState

WIDTH_MAX = 100
LINE_MAX = 400
"""Longest sentence shown, in characters."""

_STATES = {
    IncidentState.OPEN: ("●", "bold red"),
    IncidentState.RECOVERING: ("◐", "bold yellow"),
    IncidentState.RESOLVED: ("✓", "bold green"),
}
_LABEL = "bold cyan"
_QUIET = "dim"


def incident_panel(change: Change, words: Words) -> RenderableType:
    """The whole incident, as it stands after `change`."""
    told = story(change, words)
    mark, style = _STATES[told.state]
    title = Text.assemble((f" {mark} ", style), (words(f"state.{told.state}"), style), " ")
    parts: list[RenderableType] = [_head(told, words), _overview(told, words)]
    parts += _part("label.facts", _bullets("•", told.facts, words), words)
    parts += _part("label.rivals", _standings(told.rivals, words), words)
    parts += _part("label.advice", _bullets("→", told.advice, words), words)
    parts += _part("label.timeline", _timeline(told, words), words)
    parts += _part("label.noise", _bullets("·", Some(told.noise, 0), words), words)
    return Panel(
        Group(*parts),
        title=title,
        title_align="left",
        subtitle=Text(f" {visible(told.footer)} ", _QUIET),
        subtitle_align="right",
        border_style=style.removeprefix("bold "),
        padding=(1, 2),
        width=None,
    )


def change_line(told: Reply, words: Words) -> Text:
    """One change on one line: when, what, why."""
    changed, reason, others = reply(told, words)
    mark, style = _STATES[told.change.incident.state]
    line = Text.assemble((clock(told.change.at), _QUIET), " ", (mark, style), " ", (visible(changed), "bold"))
    for text in (reason, *others):
        line.append(f" · {cut(visible(text), LINE_MAX)}")
    return line


def plain(renderable: RenderableType, width: int = WIDTH_MAX) -> str:
    """What a renderable looks like without colour: for files, pipes and golden files."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False, _environ={}
    )
    console.print(renderable, width=min(width, WIDTH_MAX))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _head(told: Story, words: Words) -> RenderableType:
    verdict = told.verdict[:1].upper() + told.verdict[1:]
    where = f" · {told.domain} · {joined(told.instances, words)}"
    headline = Text.assemble((verdict, "bold"), _shown(where))
    changed = Text.assemble(
        (told.changed, "bold"), (f" {words.time(told.at)} ", _QUIET), "· ", _shown(told.reason)
    )
    return Group(headline, Text(""), changed, Text(""))


def _overview(told: Story, words: Words) -> RenderableType:
    since = words(
        "since.over" if told.over else "since.open",
        start=words.time(told.since),
        end=words.time(told.until),
        duration=told.duration,
    )
    rows = [
        ("label.since", since),
        ("label.impact", told.impact),
        ("label.routes", _counts(told.routes, words)),
        ("label.clients", _counts(told.clients, words)),
        ("label.note", told.note or ""),
    ]
    table = _grid()
    for label, value in rows:
        if value:
            table.add_row(Text(words(label), _LABEL), _shown(value))
    return table


def _part(label: str, body: RenderableType | None, words: Words) -> list[RenderableType]:
    if body is None:
        return []
    heading = Rule(Text(words(label), _LABEL), align="left", style=_QUIET, characters="─")
    return [Padding(heading, (1, 0, 0, 0)), body]


def _bullets(mark: str, lines: Some[str], words: Words) -> RenderableType | None:
    table = _grid()
    for line in lines.shown:
        table.add_row(Text(mark, _QUIET), _shown(line))
    return _ended(table, lines.more, words) if lines else None


def _standings(rivals: Some[Standing], words: Words) -> RenderableType | None:
    table = _grid()
    for one in rivals.shown:
        mark = Text("✗", "green") if one.rejected else Text("?", "yellow")
        line = Text.assemble((one.name + words("colon"), "bold"), _shown(one.reason))
        table.add_row(mark, line)
    return _ended(table, rivals.more, words) if rivals else None


def _timeline(told: Story, words: Words) -> RenderableType | None:
    """Each step with its time and how long after the first one it came."""
    table = _grid()
    table.columns.insert(1, Column(justify="right", no_wrap=True))
    for number, moment in enumerate(told.timeline):
        if moment.skipped:
            table.add_row("", "", Text(words("more", n=moment.skipped), _QUIET))
        late = words("later", duration=words.duration(moment.at - told.timeline[0].at)) if number else ""
        table.add_row(Text(clock(moment.at), _QUIET), Text(late, _QUIET), _shown(moment.text))
    return table if told.timeline else None


def _ended(table: Table, more: int, words: Words) -> Table:
    if more:
        table.add_row("", Text(words("more", n=more), _QUIET))
    return table


def _shown(text: str) -> Text:
    return Text(cut(visible(text), LINE_MAX))


def _counts(counts: Counts, words: Words) -> str:
    shown = tuple(f"{cut(name, 60) or '-'} {words.number(n)}" for name, n in counts.shown)
    return joined(Some(shown, counts.more), words)


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    return table
