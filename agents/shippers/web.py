"""Getting a page over HTTP: bounded in time and size, with a token from a file; errors show no secrets."""

import base64
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ANSWER_BYTES_MAX = 64 * 1024 * 1024
ACCEPT = "text/plain;version=0.0.4, application/json;q=0.9"


class WebError(Exception):
    """The page could not be had; the message says why, without what stands in the address."""


@dataclass(frozen=True, slots=True)
class Client:
    """How to ask. `token_file`: read for each request, for tokens are renewed. `ca_file`: whom to trust."""

    timeout_seconds: float
    token_file: Path | None = None
    ca_file: Path | None = None

    def get(self, url: str, form: dict[str, str] | None = None) -> bytes:
        """The body of a page; with `form`, of the answer to that form.

        Raises:
            WebError: no answer in time, one that is no success, or one too large.
        """
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        url, log_in = _parted(url)
        request = urllib.request.Request(url, data, {"Accept": ACCEPT, **log_in})  # noqa: S310 - http and https only, see address()
        try:
            if self.token_file is not None:
                request.add_header("Authorization", f"Bearer {self.token_file.read_text().strip()}")
            tls = ssl.create_default_context(cafile=self.ca_file) if url.startswith("https") else None
            with urllib.request.urlopen(request, timeout=self.timeout_seconds, context=tls) as answer:  # noqa: S310 - the same
                body: bytes = answer.read(ANSWER_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            raise WebError(f"it answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise WebError(f"no answer: {reason}") from error
        if len(body) > ANSWER_BYTES_MAX:
            raise WebError(f"its answer is larger than {ANSWER_BYTES_MAX} bytes")
        return body


def _parted(url: str) -> tuple[str, dict[str, str]]:
    """An address without the `user:password@` in it, and the header that says the same."""
    parts = urllib.parse.urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    shown = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
    return urllib.parse.urlunsplit(parts._replace(netloc=place)), {"Authorization": f"Basic {shown}"}


def address(text: str) -> str:
    """An http or https address as it is.

    Raises:
        ValueError: it is none.
    """
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected http://… or https://…, found {parts.scheme or 'no scheme'!r}")
    return text
