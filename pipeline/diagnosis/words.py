"""Small pieces of the sentences evidence is told in: numbers the way people read them."""

from datetime import UTC, datetime


def clock(time: float) -> str:
    """Event time as `09:10:41` UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S")


def percent(ratio: float) -> str:
    """0.974 as `97 %`."""
    return f"{ratio * 100:.0f} %"


def seconds(value: float) -> str:
    """Seconds as `0.4 ms`, `213 ms`, `5.0 s` or `3 min 20 s`."""
    if value < 0.001:
        return f"{value * 1000:.1f} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 90:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def cores(value: float) -> str:
    """Cores as `0.12 cores`, `1 core`."""
    text = f"{value:.3g}"
    return f"{text} core" if text == "1" else f"{text} cores"


def amount(count: int, singular: str, plural: str | None = None) -> str:
    """`1 request`, `12 requests`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
