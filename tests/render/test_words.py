"""The catalogue has a word for everything, and writes numbers so that they are not misread."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render.words import CATALOGUES, catalogue
from schemas import Cause, ChangeKind, IncidentState, RivalStanding

WORDS = catalogue("en")


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_code_has_a_word(language: str) -> None:
    """No cause, state, kind of change or standing is without its word, in any language."""
    needed = {
        *(f"cause.{cause}" for cause in Cause),
        *(f"{standing}.{cause}" for standing in RivalStanding for cause in Cause),
        *(f"state.{state}" for state in IncidentState),
        *(f"change.{kind}" for kind in ChangeKind),
        *CATALOGUES["en"],
    }
    assert needed - set(CATALOGUES[language]) == set()


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_language_fills_in_the_same_fields(language: str) -> None:
    """A translation has the codes and the fields of the English text, no more and no less."""
    assert CATALOGUES[language].keys() == CATALOGUES["en"].keys()
    for code, template in CATALOGUES["en"].items():
        assert fields(CATALOGUES[language][code]) == fields(template)


def test_an_unknown_language_says_which_there_are() -> None:
    """A typo in the language is an error that helps."""
    with pytest.raises(ValueError, match="no messages in language 'xx'; there are: en, zh"):
        catalogue("xx")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (123.4, "2 min 3 s"),
        (3600, "1 h"),
        (7260, "2 h 1 min"),
        (93_600, "1 d 2 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """A duration shows its two largest units, or the larger one where nothing is left for the other."""
    assert WORDS.duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0 %"),
        (0.001, "under 1 %"),
        (0.01, "1 %"),
        (0.324, "32 %"),
        (0.325, "33 %"),
        (0.999, "99 %"),
        (1, "100 %"),
    ],
)
def test_percent(ratio: float, text: str) -> None:
    """Something is never 0%, and not quite everything is never 100%."""
    assert WORDS.percent(ratio) == text


@given(st.floats(0, 1))
def test_percent_says_all_only_of_all(ratio: float) -> None:
    """100% and 0% mean exactly that."""
    assert (WORDS.percent(ratio) == "100 %") == (ratio == 1)
    assert (WORDS.percent(ratio) == "0 %") == (ratio == 0)


def test_numbers_and_times() -> None:
    """Thousands are marked, times are UTC and say so."""
    assert WORDS.number(1_234_567) == "1,234,567"
    assert WORDS.time(1795425041.9) == "09:10:41 UTC"
    assert WORDS.counted("noise.suppressed", 1) == "1 DNS error suppressed: this incident explains it"
