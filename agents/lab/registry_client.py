"""What a load test asks of a registry: looks around once, then one operation after the other.

Only the addresses it was given are asked: redirects, which registries give for blobs on object storage,
are taken for the answer and not followed, tokens are not fetched elsewhere, and no proxy is used.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

REPOSITORIES_MAX = 20
ACCEPT = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
)
OPERATIONS = ("probe", "catalog", "tags", "pull", "push")
FAILED_STATUS = 500
TOO_MANY = 429


class LookAroundError(Exception):
    """The registry cannot be used for a load test; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """Something to pull: a manifest and one blob of it."""

    repository: str
    reference: str
    blob: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request was answered. `retry_after_seconds`: what it asked for, 0 without."""

    status: int
    retry_after_seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the service could not do it, or wants less of it."""
        return self.status >= FAILED_STATUS or self.status == TOO_MANY


class RegistryClient:
    """Does operations at the addresses in turn. `push_to`: the repository that `push` writes to."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        addresses: Sequence[URL],
        draw: random.Random,
        catalog_entries: int,
        push_to: str | None,
    ) -> None:
        self._session = session
        self._addresses = addresses
        self._draw = draw
        self._catalog_entries = catalog_entries
        self._push_to = push_to
        self._images: list[Image] = []
        self._turn = 0

    async def look_around(self) -> int:
        """Find images to pull; returns how many.

        Raises:
            LookAroundError: the registry does not answer as one.
        """
        base = self._addresses[0]
        try:
            found = await self._json(base / "v2/_catalog", {"n": str(REPOSITORIES_MAX)})
            for repository in found.get("repositories") or []:
                tags = (await self._json(base / f"v2/{repository}/tags/list")).get("tags") or []
                if tags:
                    manifest = await self._json(base / f"v2/{repository}/manifests/{tags[0]}")
                    layers = manifest.get("layers") or [{}]
                    self._images.append(Image(repository, tags[0], layers[0].get("digest")))
        except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError) as error:
            why = str(error) or type(error).__name__
            raise LookAroundError(f"{base} does not answer as a registry: {why}") from error
        return len(self._images)

    async def do(self, operation: str) -> Answer:
        """Do one operation, all its requests; the worst answer counts."""
        self._turn += 1
        base = self._addresses[self._turn % len(self._addresses)]
        match operation:
            case "probe":
                return await self._ask("GET", base / "v2/")
            case "catalog":
                return await self._ask("GET", base / "v2/_catalog", {"n": str(self._catalog_entries)})
            case "tags":
                image = self._draw.choice(self._images)
                return await self._ask("GET", base / f"v2/{image.repository}/tags/list")
            case "pull":
                return await self._pull(base, self._draw.choice(self._images))
            case _:
                return await self._push(base)

    async def _pull(self, base: URL, image: Image) -> Answer:
        answer = await self._ask("GET", base / f"v2/{image.repository}/manifests/{image.reference}")
        if answer.failed or image.blob is None:
            return answer
        return await self._ask("GET", base / f"v2/{image.repository}/blobs/{image.blob}")

    async def _push(self, base: URL) -> Answer:
        content = self._draw.randbytes(20_000)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        async with self._request("POST", base / f"v2/{self._push_to}/blobs/uploads/") as response:
            answer, location = _answer(response), response.headers.get("Location")
        if answer.status != 202 or location is None:
            return answer
        target = base.join(URL(location))
        if target.origin() != base.origin():
            return answer  # uploads go elsewhere: what was asked of this registry is done
        return await self._ask("PUT", target.update_query(digest=digest), data=content)

    async def _ask(
        self, method: str, url: URL, query: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> Answer:
        async with self._request(method, url, query, data) as response:
            async for _ in response.content.iter_chunked(65_536):
                pass
            return _answer(response)

    def _request(
        self, method: str, url: URL, query: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> "aiohttp.client._RequestContextManager":
        return self._session.request(
            method, url, params=query, data=data, allow_redirects=False, headers={"Accept": ACCEPT}
        )

    async def _json(self, url: URL, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        async with self._request("GET", url, query) as response:
            if response.status != 200:
                raise ValueError(f"{url.path} is answered with {response.status}")
            found = await response.json(content_type=None)
            if not isinstance(found, dict):
                raise ValueError(f"{url.path} is answered with {type(found).__name__}")
            return found


def _answer(response: aiohttp.ClientResponse) -> Answer:
    try:
        after = float(response.headers.get("Retry-After", "0"))
    except ValueError:
        after = 0.0
    return Answer(response.status, min(max(after, 0.0), 60.0))
