"""Pictures in Chinese: the font that writes them, and what happens where there is none."""

import itertools
import struct
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager

from agents.tell import picture
from agents.tell.picture import BADGE_SHARE, cjk_family, drawable, png, spread
from pipeline.render.words import catalogue
from tests.slack.recordings import replayed

FINAL = replayed("cpu_cascade").final_changes()[0]
ENGLISH, CHINESE = catalogue("en"), catalogue("zh")
needs_font = pytest.mark.skipif(
    cjk_family() is None, reason="no Chinese font is installed: apt-get install fonts-wqy-microhei"
)


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """matplotlib's list of fonts as it was before a Chinese one was installed."""
    known = font_manager.fontManager.ttflist
    without = [font for font in known if font.name not in picture.CJK_FAMILIES]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", without)
    cjk_family.cache_clear()
    picture._no_font.cache_clear()
    yield
    cjk_family.cache_clear()
    picture._no_font.cache_clear()


@needs_font
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", ["cpu_cascade", "dns_outage_direct", "slow_s3", "memory_pressure"])
def test_every_character_is_written(name: str, theme: picture.Theme) -> None:
    """matplotlib warns of each character it has to draw as a box: there is none."""
    drawn = drawable(replayed(name).final_changes()[0], CHINESE)
    assert drawn is not None
    assert "置信度" in drawn.title
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = png(drawn, theme)
    assert struct.unpack(">I", content[16:20]) == (1080,)


@needs_font
def test_a_font_installed_after_matplotlib_looked_is_found(forgotten: None) -> None:
    """Its list of fonts is a file in a cache: who installs a font need not know."""
    assert cjk_family() is not None
    drawn = drawable(FINAL, CHINESE)
    assert drawn is not None
    assert "置信度" in drawn.title


def test_without_a_font_the_picture_is_in_english(
    forgotten: None, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """No boxes: English words, and one line in the log with the fix, however many pictures there are."""
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    assert [drawable(FINAL, CHINESE) for _ in range(3)] == [drawable(FINAL, ENGLISH)] * 3
    assert sum("fonts-wqy-microhei" in line for line in logged) == 1
    assert drawable(FINAL, ENGLISH) is not None


def test_a_long_step_takes_two_lines() -> None:
    """At a space in English, between any two characters in Chinese; what is longer still is cut."""
    words = "registry-ui/2.5 (catalog-sync) keeps coming back: 5 failed requests in 5.2 s"
    assert picture._wrapped(words) == [
        "registry-ui/2.5 (catalog-sync) keeps coming back: 5 failed",
        "requests in 5.2 s",
    ]
    assert picture._wrapped("cause named") == ["cause named"]
    first, second = picture._wrapped("自" * 45)
    assert (len(first), len(second)) == (30, 15)
    assert picture._wrapped("a" * 200)[1].endswith("…")


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12).map(sorted))
def test_no_number_stands_over_another(at: list[float]) -> None:
    """Numbers keep order and distance, stay within the picture, and one alone stands over its line."""
    width = BADGE_SHARE * 100
    places = spread(at, width, 0, 100)
    assert all(after - before >= width - 1e-9 for before, after in itertools.pairwise(places))
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in places)
    if len(at) == 1:
        assert places == pytest.approx(at)
