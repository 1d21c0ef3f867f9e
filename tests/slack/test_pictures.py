"""The timeline picture: what is drawn, what stands for it in words, and how it gets into the thread."""

import struct
import warnings
from pathlib import Path

import pytest

from agents.commands.slack import slack as command
from agents.tell.picture import COLOURS, WIDTH_INCHES, can_write, png
from pipeline.render.chart import ALT_MAX, Style, chart
from pipeline.render.words import catalogue
from pipeline.telling import Memory
from schemas import Change
from tests.render.incidents import CASCADE
from tests.slack.conftest import Clock, Speakers
from tests.slack.recordings import RECORDINGS, replayed
from tests.slack.server import FakeSlack, Fault
from tests.slack.stories import roots, stored, tell_all, thread
from tests.slack.test_command import SAMPLES, run
from tests.slack.uploads import PNG

WORDS = catalogue("en")
CHANGES = replayed("cpu_cascade").changes
INCIDENT = CHANGES[0].incident.id
ROOMY = {name for name in RECORDINGS if replayed(name).changes}


def pictures(slack: FakeSlack) -> list[str]:
    """Names of the files in the thread, in their order."""
    (root,) = roots(slack, INCIDENT)
    return [file["name"] for one in slack.channel.thread(root["ts"]) for file in one.get("files", [])]


def size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels."""
    assert content.startswith(PNG)
    width, height = struct.unpack(">II", content[16:24])
    return width, height


NAMED = next(one for one in CHANGES if one.incident.cause == "cpu_saturation")
BOTH = [f"undercurrent-{INCIDENT}-{seq}.png" for seq in (NAMED.seq, CHANGES[-1].seq)]


async def test_a_picture_when_the_cause_is_named_and_one_at_the_end(
    slack: FakeSlack, speaker: Speakers, heard: list[tuple[str, str]]
) -> None:
    """Two pictures an incident, in its thread, each with the words for who cannot see it."""
    await tell_all(speaker(pictures="dark"), CHANGES)
    assert pictures(slack) == BOTH
    assert heard.count(("picture", "posted")) == 2
    for upload in slack.uploads.files.values():
        assert upload.content is not None
        assert size(upload.content)[0] == int(WIDTH_INCHES * 180)
        assert upload.alt_text.startswith("Timeline from 09:09:")
        assert "CPU use up to" in upload.alt_text


async def test_no_picture_without_curves_or_where_none_is_wanted(slack: FakeSlack, speaker: Speakers) -> None:
    """An incident of an older core has no curves, and pictures can be turned off."""
    await tell_all(speaker(pictures="dark"), CASCADE)
    await tell_all(speaker(), CHANGES)
    assert slack.uploads.files == {}


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("files.getUploadURLExternal", Fault.UNAVAILABLE),
        ("files.getUploadURLExternal", Fault.LIMITED),
        ("upload", Fault.UNAVAILABLE),
        ("files.completeUploadExternal", Fault.DROPPED),
        ("files.completeUploadExternal", Fault.LOST),
        ("files.completeUploadExternal", Fault.INTERNAL),
    ],
)
async def test_a_failed_upload_is_done_once_all_the_same(
    slack: FakeSlack, speaker: Speakers, clock: Clock, method: str, fault: Fault
) -> None:
    """Whatever is lost on the way, each picture stands in the thread once, and no word waits for it."""
    one = speaker(pictures="dark")
    slack.fail(method, fault)
    memory = await tell_all(one, CHANGES)
    (root,) = roots(slack, INCIDENT)
    assert root["text"].startswith("✅ Resolved")
    for _ in range(5):
        clock.seconds += 60
        memory = await one.flush(memory)
    assert not one.owes(memory)
    assert pictures(slack) in (BOTH, BOTH[1:])  # one still owed when the next was due is not shown any more


async def test_an_upload_that_never_works_is_given_up(
    slack: FakeSlack, speaker: Speakers, clock: Clock, heard: list[tuple[str, str]]
) -> None:
    """Where the upload address is out of reach the story is told without pictures, and nothing stays owed."""
    one = speaker(pictures="dark")
    slack.fail("upload", *[Fault.UNAVAILABLE] * 50)
    memory = await tell_all(one, CHANGES)
    for _ in range(6):
        clock.seconds += 60
        memory = await one.flush(memory)
    assert not one.owes(memory)
    assert pictures(slack) == []
    assert ("picture", "pending") in heard


async def test_a_crash_repeats_no_picture(slack: FakeSlack, speaker: Speakers) -> None:
    """A worker that dies right after an upload finds it in the thread."""
    memory: Memory | None = None
    for change in CHANGES:
        await speaker(pictures="dark").say(change, memory)
        memory = await speaker(pictures="dark").say(change, stored(memory, change))
    assert pictures(slack) == BOTH


async def test_without_the_scope_the_words_go_on(
    slack: FakeSlack, speaker: Speakers, logged: list[str], heard: list[tuple[str, str]]
) -> None:
    """A token that may not upload tells everything else; one line says what is missing."""
    slack.scopes.discard("files:write")
    one = speaker(pictures="dark")
    memory = await tell_all(one, CHANGES)
    assert not one.owes(memory)
    assert thread(slack, INCIDENT) != []
    assert sum("files:write" in line for line in logged if "timeline picture" in line) == 1
    assert ("picture", "refused") in heard


@pytest.mark.parametrize("name", sorted(ROOMY))
def test_every_recording_has_its_chart(name: str) -> None:
    """Every incident has a panel of requests and words for it that Slack takes, in both languages."""
    for final in replayed(name).final_changes():
        for language in ("en", "zh"):
            drawn = chart(final, catalogue(language))
            assert drawn is not None
            assert catalogue(language)("panel.requests") in [panel.title for panel in drawn.panels]
            assert 100 < len(drawn.alt) <= ALT_MAX or language == "zh"
            assert all(len(curve.values) == len(drawn.times) for one in drawn.panels for curve in one.curves)


def test_the_picture_of_a_light_and_a_dark_theme() -> None:
    """Both are drawn, of the same size, and the same chart gives the same bytes."""
    drawn = chart(CHANGES[-1], WORDS)
    assert drawn is not None
    dark, light = png(drawn, "dark"), png(drawn, "light")
    assert size(dark) == size(light)
    assert dark != light
    assert png(drawn, "dark") == dark


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", COLOURS)
def test_everything_stands_out_from_the_ground(theme: str) -> None:
    """Text has the contrast WCAG asks of text (4.5), curves that of graphics (3)."""
    colours = COLOURS[theme]  # type: ignore[index]
    ground = luminance(colours["ground"])
    for name, colour in colours.items():
        if name in ("ground", "grid"):
            continue
        light, dark = sorted((luminance(colour), ground), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= (4.5 if name in ("text", "quiet") else 3.0), name


def test_curves_differ_in_form() -> None:
    """No two curves of a panel are told apart by colour alone."""
    for name in sorted(ROOMY):
        for final in replayed(name).final_changes():
            drawn = chart(final, WORDS)
            assert drawn is not None
            for panel in drawn.panels:
                styles = [curve.style for curve in panel.curves]
                assert len(styles) == len(set(styles))
                assert set(styles) <= set(Style)


def test_a_hostile_name_is_only_text(tmp_path: Path) -> None:
    """What matplotlib would take for mathematics or a line break is drawn as it is."""
    incident = CHANGES[-1].incident.model_copy(update={"domain": "$\\frac{1}{0}$ \n \x1b[31m"})
    drawn = chart(Change(**{**dict(CHANGES[-1]), "incident": incident}), WORDS)
    assert drawn is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size(png(drawn))[0] == 1080


def test_characters_no_font_has() -> None:
    """Where no font has Chinese characters the picture says it in English."""
    assert can_write("CPU saturation 90 %")


def test_preview_writes_the_picture(tmp_path: Path) -> None:
    """`slack preview --picture` writes what would be uploaded."""
    path = tmp_path / "picture.png"
    assert run("preview", str(SAMPLES / "cpu_cascade"), "--picture", str(path), "--json").exit_code == 0
    assert size(path.read_bytes())[0] == 1080
    assert command.name == "slack"
