"""Text from logs is hostile: what it hides is made visible here, once, for every way of showing it."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """`text` on one line, with every character that would act instead of show written as an escape.

    `\\x1b[31m` stays readable as such and colours nothing, a newline becomes `\\n`. Which characters
    act is Unicode's word (`str.isprintable`): controls, format characters such as U+202E that turn
    the direction, separators but the space, surrogates, private and unassigned code points.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def cut(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters at a word's end where there is one near, with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    return (head[:space] if space > limit * 0.6 else head).rstrip() + "…"


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
