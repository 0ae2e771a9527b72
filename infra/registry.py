"""What a tag of a container registry points at now (OCI distribution specification 1.1, `pulling manifests`)."""

import re

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


def digest_of(client: httpx.Client, image: str) -> str:
    """The digest of an image's tag: of the index over all platforms where there is one.

    Raises:
        RegistryError: no tag, no such image, or the registry does not answer as specified.
    """
    host, name, tag = _split(image)
    local = host.partition(":")[0] in ("localhost", "127.0.0.1")
    url = f"{'http' if local else 'https'}://{HOSTS.get(host, host)}/v2/{name}/manifests/{tag}"
    try:
        answer = client.head(url, headers={"Accept": MANIFESTS})
        if answer.status_code == 401:
            token = _token(client, answer.headers.get("WWW-Authenticate", ""), host)
            answer = client.head(url, headers={"Accept": MANIFESTS, "Authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        raise RegistryError(f"registry {host} does not answer ({type(error).__name__})") from error
    if answer.status_code == 404:
        raise RegistryError(f"registry {host} has no {name}:{tag}; look at its tags")
    digest = answer.headers.get("Docker-Content-Digest", "")
    if answer.status_code != 200 or not DIGEST.fullmatch(digest):
        raise RegistryError(
            f"registry {host} answers {answer.status_code} for {name}:{tag}, without a digest"
        )
    return str(digest)


def _split(image: str) -> tuple[str, str, str]:
    path, _, tag = image.rpartition(":")
    if not path or "/" in tag:
        raise RegistryError(f"{image} has no tag; name an exact one, such as python:3.12-slim-bookworm")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest, tag
    return DOCKER_HUB, path if slash else f"library/{path}", tag


def _token(client: httpx.Client, challenge: str, host: str) -> str:
    """Anonymous, from where the registry says (`Bearer realm=..., service=..., scope=...`)."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if "realm" not in asked:
        raise RegistryError(f"registry {host} wants a login that is not known here")
    answer = client.get(asked.pop("realm"), params=asked)
    try:
        content = answer.json()
        return str(content.get("token") or content["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise RegistryError(
            f"registry {host} gives no anonymous token (HTTP {answer.status_code})"
        ) from error
