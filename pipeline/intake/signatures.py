"""The user's own signatures: error texts they know better than we do.

Only an error's text is looked at, never what a client sends along (its user agent, the address it asked
for), so that nobody can write himself into a signature. What fits keeps the place its own class gave it.
"""

import re

from pipeline.intake.classify import Finding, classify
from pipeline.intake.logrus import Parsed
from schemas import DNS_KINDS, Signature
from schemas.patterns import looked_at

LEVELS = frozenset({"error", "fatal", "panic", "critical"})
_ACCESS = re.compile(r"\S{1,128} \S{1,128} \S{1,128} \[\d{2}/[A-Z][a-z]{2}/\d{4}:")
_WORDS = (b"fatal", b"panic", b"critical")
"""Of error lines that bear no word of relevance.py."""


class Signatures:
    """All signatures in force, in order."""

    def __init__(self, signatures: tuple[Signature, ...]) -> None:
        self._signatures = signatures

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._signatures)

    def may_want(self, value: bytes) -> bool:
        """Whether a record that no class of ours wants may still hold a line with a signature."""
        return bool(self._signatures) and any(word in value for word in _WORDS)

    def classify(self, line: Parsed, slow_request_seconds: float) -> Finding | str:
        """The finding of one line as `classify` gives it, unless a signature fits."""
        found = classify(line, slow_request_seconds)
        if not self._signatures or not _is_error(line):
            return found
        text = " ".join(part for part in (line.msg, line.error, line.detail) if part)
        bounded = looked_at(text)
        signature = next((one for one in self._signatures if one.fits(bounded)), None)
        if signature is None:
            return found
        kind, name = signature.kind, signature.name
        if isinstance(found, str):
            return Finding(kind, text, signature=name)
        if kind not in DNS_KINDS:
            found = found._replace(upstream=None, question=None)
        return found._replace(kind=kind, signature=name)


def _is_error(line: Parsed) -> bool:
    """A line that says so, carries an error, or has no level at all and is not of the access log."""
    if line.level in LEVELS or line.detail is not None or line.code is not None:
        return True
    if line.status is not None and line.status >= 500:
        return True
    return line.level is None and _ACCESS.match(line.msg) is None
