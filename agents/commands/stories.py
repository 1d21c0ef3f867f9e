"""`undercurrent test-rules DIR`: do the stories in a folder still come out as they are written?"""

from collections.abc import Iterator
from pathlib import Path

import click

from agents.commands.options import config_option, settings_from
from agents.settings import Settings
from pipeline.render.clean import visible
from pipeline.stories import StoryError, Teller, answered, difference

PATTERN = "*.story"
RULES = "rules.yaml"

_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


@click.command("test-rules")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@config_option
@click.option(
    "--rewrite", is_flag=True, help="Write today's answers into the stories. Look at the difference."
)
def test_rules(folder: Path, config: Path | None, rewrite: bool) -> None:
    """Tell every story (*.story) in DIR to intake and core, and compare what they answer.

    The rules are those of --config, else of DIR/rules.yaml, else the defaults; the environment does not
    count. docs/stories.md has the language.

    Exit code 0: every story came out as it is written; 1: one did not, and the difference is printed;
    2: wrong usage, no story there, or settings that cannot be used.
    """
    stories = sorted(folder.glob(PATTERN))
    if not stories:
        raise click.UsageError(f"{folder} holds no {PATTERN}")
    own = folder / RULES
    settings = settings_from(config or (own if own.exists() else None), {})
    failed = 0
    for path in stories:
        complaint = "\n".join(_rewritten(path, settings) if rewrite else _compared(path, settings))
        failed += bool(complaint)
        mark = click.style("✗", fg="red") if complaint else click.style("✓", fg="green")
        click.echo(f"{mark} {path.name}")
        if complaint:
            click.echo(complaint)
    click.echo(f"{len(stories) - failed} of {len(stories)} stories came out as they are written")
    if failed:
        raise SystemExit(1)


def _compared(path: Path, settings: Settings) -> Iterator[str]:
    """What is wrong with one story, line by line; nothing where all is as it is written."""
    text = _text(path)
    try:
        answers = answered(text, Teller(settings.intake_config(), settings.rules))
    except StoryError as error:
        yield f"{path}:{error.line}: {visible(str(error))}"
        return
    for line in difference(path.name, text, answers).splitlines():
        yield click.style(visible(line), fg=_COLOURS.get(line[:1]))


def _rewritten(path: Path, settings: Settings) -> Iterator[str]:
    try:
        answers = answered(_text(path), Teller(settings.intake_config(), settings.rules))
    except StoryError as error:
        yield f"{path}:{error.line}: {visible(str(error))}"
        return
    path.write_text(answers, encoding="utf-8")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error
