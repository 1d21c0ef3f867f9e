"""Takes secrets out of a line before it leaves the raw topics.

Every pattern is linear in its input, and the input is bounded by the caller (a few kilobytes).
Redacting twice changes nothing.
"""

import re

HIDDEN = "[redacted]"

_QUOTE = r"""\\?["']?"""
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # https://user:password@host
    (re.compile(r"(://)[^\s/@\"'\\]{1,512}@"), rf"\1{HIDDEN}@"),
    # signed S3 addresses, and the upload state the registry hands to clients
    (
        re.compile(
            r"((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature|_state)"
            r"(?:=|%3D))[^&\s\"'\\<>]+",
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
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{12,124}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
)


def redact(text: str) -> str:
    """`text` without AWS keys and signatures, authorization headers, tokens, cookies and passwords."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
