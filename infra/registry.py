"""What a container registry says of an image (OCI distribution specification 1.1, `pulling manifests` and `blobs`)."""

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from infra.errors import RegistryError

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
DOCKER_HUB = "docker.io"
HOSTS = {DOCKER_HUB: "registry-1.docker.io"}
"""Names that images carry to the hosts that answer for them (Docker Hub's only)."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PLATFORM = {"os": "linux", "architecture": "amd64"}
"""What is rented."""
TIMEOUT_S = 10.0


def digest_of(client: httpx.Client, image: str) -> str:
    """The digest of an image's tag: of the index over all platforms where there is one.

    Raises:
        RegistryError: no tag, no such image, or the registry does not answer as specified.
    """
    repository = _Repository(client, image)
    answer = repository.ask("HEAD", f"manifests/{repository.reference}")
    digest = answer.headers.get("Docker-Content-Digest", "")
    if not DIGEST.fullmatch(digest):
        raise RegistryError(
            f"registry {repository.host} answers {answer.status_code} for {repository.what}, without a digest"
        )
    return str(digest)


def labels_of(image: str, login: tuple[str, str] | None = None) -> Mapping[str, str]:
    """The labels of an image, of its build for linux/amd64 where it has several.

    Args:
        login: user and password where the image is private; sent over TLS or loopback only.

    Raises:
        RegistryError: as `digest_of`; or this image may not be read.
    """
    # A blob may lie elsewhere; httpx leaves the token out where it is sent to another host.
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
        repository = _Repository(client, image, login)
        manifest = repository.read(f"manifests/{repository.reference}")
        if "manifests" in manifest:
            manifest = repository.read(f"manifests/{_of_platform(manifest, repository.what)}")
        try:
            config = repository.read(f"blobs/{manifest['config']['digest']}")
            found = config.get("config") or {}
            return {str(name): str(value) for name, value in (found.get("Labels") or {}).items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise RegistryError(
                f"registry {repository.host} describes {repository.what} in a way unknown here"
            ) from error


class _Repository:
    """One image's, with the token for it once the registry asked for one."""

    def __init__(self, client: httpx.Client, image: str, login: tuple[str, str] | None = None) -> None:
        self.host, self._name, self.reference = _split(image)
        self.what = f"{self._name}{'@' if ':' in self.reference else ':'}{self.reference}"
        scheme = "http" if _is_local(self.host) else "https"
        self._url = f"{scheme}://{HOSTS.get(self.host, self.host)}/v2/{self._name}"
        self._client, self._login = client, login
        self._headers = {"Accept": MANIFESTS}

    def read(self, path: str) -> dict[str, Any]:
        """A document of it."""
        answer = self.ask("GET", path)
        with suppress(ValueError):
            if isinstance(content := answer.json(), dict):
                return content
        raise RegistryError(f"registry {self.host} answers {self.what} with something unknown here")

    def ask(self, method: str, path: str) -> httpx.Response:
        """An answer that is one."""
        try:
            answer = self._client.request(method, f"{self._url}/{path}", headers=self._headers)
            if answer.status_code == 401 and "Authorization" not in self._headers:
                self._headers["Authorization"] = self._authorization(
                    answer.headers.get("WWW-Authenticate", "")
                )
                answer = self._client.request(method, f"{self._url}/{path}", headers=self._headers)
        except httpx.HTTPError as error:
            raise RegistryError(f"registry {self.host} does not answer ({type(error).__name__})") from error
        if answer.status_code in (401, 403):
            raise RegistryError(f"registry {self.host} does not show {self.what} to whoever asks")
        if answer.status_code == 404:
            raise RegistryError(f"registry {self.host} has no {self.what}; look at its tags")
        if answer.status_code != 200:
            raise RegistryError(f"registry {self.host} answers {answer.status_code} for {self.what}")
        return answer

    def _authorization(self, challenge: str) -> str:
        """From where the registry says (`Bearer realm=..., service=..., scope=...`), or the login itself (`Basic`)."""
        if challenge.lower().startswith("basic") and self._login is not None:
            pair = base64.b64encode(":".join(self._login).encode()).decode()
            return f"Basic {pair}"
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = asked.pop("realm", None)
        if realm is None or challenge.lower().startswith("basic"):
            raise RegistryError(f"registry {self.host} wants a login that is not known here")
        parts = urlsplit(realm)
        safe = parts.scheme == "https" or _is_local(parts.netloc)
        auth = httpx.BasicAuth(*self._login) if self._login is not None and safe else None
        answer = self._client.get(realm, params=asked, auth=auth)
        try:
            content = answer.json()
            return f"Bearer {content.get('token') or content['access_token']}"
        except (ValueError, KeyError, AttributeError) as error:
            raise RegistryError(
                f"registry {self.host} gives no {'token' if self._login else 'anonymous token'} "
                f"(HTTP {answer.status_code})"
            ) from error


def _of_platform(index: Mapping[str, Any], what: str) -> str:
    try:
        for one in index["manifests"]:
            told = one.get("platform") or {}
            if all(told.get(name) == value for name, value in PLATFORM.items()):
                return str(one["digest"])
    except (KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"{what} has an index in a form unknown here") from error
    raise RegistryError(f"{what} has no build for linux/amd64; build it with --platform linux/amd64")


def _split(image: str) -> tuple[str, str, str]:
    """Host, name, and tag or digest."""
    path, _, digest = image.partition("@")
    head, _, tag = path.rpartition(":")
    if head and "/" not in tag:
        path = head
    elif not digest:
        raise RegistryError(f"{image} has no tag; name an exact one, such as python:3.12-slim-bookworm")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest, digest or tag
    return DOCKER_HUB, path if slash else f"library/{path}", digest or tag


def _is_local(host: str) -> bool:
    return host.partition(":")[0] in ("localhost", "127.0.0.1")
