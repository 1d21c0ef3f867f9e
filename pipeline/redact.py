"""Takes secrets out of a line before it leaves the raw topics.

Every pattern is linear in its input, and the input is bounded by the caller (a few kilobytes, and some
tens of kilobytes for a dead letter). Redacting twice changes nothing. What is compressed, encrypted or
encoded a second time is not looked into.
"""

import re
from collections.abc import Callable

HIDDEN = "[redacted]"

Redactor = Callable[[str], str]
"""Takes secrets out of a text."""

_QUOTE = r"""\\?["']?"""
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*"), HIDDEN),
    # https://user:password@host
    (re.compile(r"(://)[^\s/@\"'\\]{1,512}@"), rf"\1{HIDDEN}@"),
    # signed addresses of S3, GCS and Azure, and the upload state the registry hands to clients
    (
        re.compile(
            r"((?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature|_state"
            r"|[?&]sig)(?:=|%3D))[^&\s\"'\\<>]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # headers, as in a dump (`Authorization: Bearer x`), in JSON, or in a Go map (`Authorization:[Basic x]`)
    (
        re.compile(
            rf"\b((?:proxy-)?authorization|(?:set-)?cookie|x-amz-security-token)({_QUOTE}\s*[:=]\s*)"
            r"(?:\\?\"[^\"\\]*|\[[^\]]*\]?|[^\s\"'\\,\]]+(?:[ ;][^\r\n\"'\\\]]*)?)",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (
        re.compile(
            r"\b((?:[a-z]{1,32}[_-]){0,4}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?))"
            rf"({_QUOTE}\s*[:=]\s*{_QUOTE})(?!\[redacted\])[^\s\"'&,;}}\\]+",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    # keys and tokens that are known by how they begin, wherever they stand
    (re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{12,124}"), HIDDEN),
    (re.compile(r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (
        re.compile(
            r"(?:gh[pousr]_|github_pat_|glpat-|dckr_[po]at_|xox[abeoprs]-|hvs\.)[A-Za-z0-9_-]{10,255}",
        ),
        HIDDEN,
    ),
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)

_MARGIN_BYTES = 4_096
"""What is cut off beyond a bound may hold the rest of a secret by which it would be known."""


def redact(text: str) -> str:
    """`text` without AWS keys and signatures, authorization headers, tokens, cookies and passwords."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redactor(emails: bool = False) -> Redactor:
    """The redactor in force; `emails`: addresses of people are hidden as well."""
    return _with_emails if emails else redact


def _with_emails(text: str) -> str:
    return _EMAIL.sub(HIDDEN, redact(text))


def redact_bytes(value: bytes, bytes_max: int, hide: Redactor = redact) -> tuple[bytes, bool]:
    """The first `bytes_max` bytes of `value` without secrets, and whether there were any.

    Bytes that are no text stay as they are. Where `value` is cut, no half of a secret is left over.
    """
    if bytes_max == 0:
        return b"", False
    read = value[: bytes_max + _MARGIN_BYTES]
    text = read.decode("utf-8", "surrogateescape")
    hidden = hide(text)
    if hidden == text:
        return value[:bytes_max], False
    kept = hidden.encode("utf-8", "surrogateescape")
    if len(read) < len(value):
        kept = kept[:-_MARGIN_BYTES]
    return kept[:bytes_max], True
