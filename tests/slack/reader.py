"""What a reader sees of mrkdwn: a model of Slack's own formatting, and a harsh one.

Outside code spans every `*`, `_`, `~` and backtick formats something and is not seen, every
`:name:` is an emoji, every `<…>` is a mention or a link. So text is seen as it is only if nothing
in it is left to chance.
"""

import re

_SPAN = re.compile(r"(?<![A-Za-z0-9`])`([^`\n]+)`(?![A-Za-z0-9`])")
_EMOJI = re.compile(r":[\w+'-]*[A-Za-z][\w+'-]*:")


def seen(mrkdwn: str) -> str:
    """The characters a reader sees."""
    parts = _SPAN.split(mrkdwn)
    return "".join(_unescaped(part) if number % 2 else _formatted(part) for number, part in enumerate(parts))


def _formatted(part: str) -> str:
    part = re.sub(r"<[^<>]*>", "[a mention or a link]", part)
    part = _EMOJI.sub("[an emoji]", part)
    return _unescaped(re.sub(r"[*_~`]", "", part))


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
