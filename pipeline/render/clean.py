"""Text from logs is hostile: what it hides is made visible here, once, for every way of showing it."""

import re
import unicodedata

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""Controls (C0, DEL, C1), invisible and direction-changing characters, line and paragraph separators."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}


def visible(text: str) -> str:
    """`text` on one line, with every character that would act instead of show written as an escape.

    `\\x1b[31m` stays readable as such and colours nothing; a newline becomes `\\n`; lone surrogates,
    which no encoding could carry, become `\\ud800`.
    """
    shown = _HIDDEN.sub(lambda found: _escape(found[0]), text)
    return "".join(_escape(c) if unicodedata.category(c) in ("Cs", "Cn", "Co") else c for c in shown)


def cut(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters at a word's end where there is one near, with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    return (head[:space] if space > limit * 0.6 else head).rstrip() + "…"


def _escape(character: str) -> str:
    short = _SHORT.get(character)
    if short is not None:
        return short
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
