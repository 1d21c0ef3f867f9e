"""Times and durations as written, to the nanosecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.instants import NS, from_number, from_rfc3339, from_written, go_duration_seconds


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-03-20T10:30:18.536076098Z", 1742466618536076098),
        ("2025-03-20T10:30:18.5Z", 1742466618500000000),
        ("2025-03-20T10:30:18Z", 1742466618000000000),
        ("2025-03-20T12:30:18.5+02:00", 1742466618500000000),
        ("2025-03-20T05:00:18.5-0530", 1742466618500000000),
        ("2025-03-20 10:30:18.5", 1742466618500000000),
        ("2025-03-20T10:30:18.5360760981234Z", 1742466618536076098),
        ("2025-02-30T10:30:18Z", None),
        ("2025-03-20T10:30:18.5x", None),
        ("2025-03-20", None),
        ("", None),
        ("\u0662\u0660\u0662\u0665-03-20T10:30:18Z", None),
    ],
)
def test_rfc3339_with_any_number_of_digits(text: str, ns: int | None) -> None:
    """Go trims zeros, shippers cut to milliseconds; what is no time is None."""
    assert from_rfc3339(text) == ns


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2099, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_any_moment_comes_back_in_any_zone(moment: datetime, offset_minutes: int) -> None:
    """Against the standard library."""
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    local = (moment + timedelta(minutes=offset_minutes)).isoformat()
    sign = "+" if offset_minutes >= 0 else "-"
    zone = f"{sign}{abs(offset_minutes) // 60:02}:{abs(offset_minutes) % 60:02}"
    assert from_rfc3339(local + zone) == expected * 1000


@pytest.mark.parametrize(
    "written",
    [
        1742466618.5,
        1742466618500,
        1742466618500000,
        1742466618500000000,
        "1742466618.5",
        "1742466618500000000",
        "2025-03-20T10:30:18.5Z",
        "20250320T103018.5Z",
        "2025/03/20 10:30:18.5",
        "1.7424666185e+09",
        "1.7424666185E12",
    ],
)
def test_a_number_is_seconds_to_nanoseconds_by_its_size(written: object) -> None:
    """Every exporter has its own unit."""
    assert from_written(written) == 1742466618500000000


@pytest.mark.parametrize(
    "written",
    [
        "20/Mar/2025:12:30:18 +0200",
        "Thu, 20 Mar 2025 10:30:18 GMT",
        "2025/03/20 10:30:18",
        "20250320T103018Z",
    ],
)
def test_forms_without_fractions_are_whole_seconds(written: str) -> None:
    """Access logs, HTTP, Go's log package, ISO 8601 without signs."""
    assert from_written(written) == 1742466618000000000


@pytest.mark.parametrize("written", ["20/Mai/2025:12:30:18 +0200", "20251320T103018Z", "9e99", "1e5000"])
def test_what_only_looks_like_a_form_is_none(written: str) -> None:
    """An unknown month, a thirteenth one, numbers beyond all time."""
    found = from_written(written)
    assert found is None or found > 1 << 62


@pytest.mark.parametrize(
    "written", [None, True, [], {}, "soon", "-5", "", float("nan"), float("inf"), "1" * 40]
)
def test_what_is_no_time_is_none(written: object) -> None:
    """And never an error."""
    assert from_written(written) is None


@given(st.floats(min_value=0, max_value=4e9))
def test_a_float_keeps_all_its_digits(seconds: float) -> None:
    """Unix seconds as a float and back are the same float: samples of two exporters must meet."""
    ns = from_number(seconds)
    assert ns is not None
    assert ns / NS == pytest.approx(seconds, abs=1e-9)
    if seconds > 1e9:
        assert ns / NS == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.200693372s", 12.200693372),
        ("284.759907ms", 0.284759907),
        ("227.399µs", 0.000227399),
        ("227.399us", 0.000227399),
        ("15ns", 1.5e-8),
        ("2m43.2s", 163.2),
        ("1h0m0.5s", 3600.5),
        ("0s", 0.0),
        ("", None),
        ("12", None),
        ("s", None),
        ("1e999s", None),
        ("-5s", None),
        ("5 s", None),
    ],
)
def test_go_durations(text: str, seconds: float | None) -> None:
    """As Go prints them; a negative one is nonsense here."""
    found = go_duration_seconds(text)
    assert found == (None if seconds is None else pytest.approx(seconds))
