"""A registry on loopback that keeps the specification: a challenge, a token, a digest."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from infra.errors import RegistryError
from infra.registry import digest_of
from stacks.verbs.pin import IMAGES, pin_bases

DIGEST = "sha256:" + "a1" * 32


class Registry(BaseHTTPRequestHandler):
    open_to_all = False
    digest: str | None = DIGEST

    def do_HEAD(self) -> None:
        port = self.server.server_address[1]  # type: ignore[index]
        if not self.open_to_all and self.headers.get("Authorization") != "Bearer anonymous":
            self.send_response(401)
            realm = (
                f'Bearer realm="http://127.0.0.1:{port}/token",service="r",scope="repository:team/base:pull"'
            )
            self.send_header("WWW-Authenticate", realm)
        elif self.path == "/v2/team/base/manifests/1.0":
            assert "image.index" in self.headers["Accept"]
            self.send_response(200)
            if self.digest:
                self.send_header("Docker-Content-Digest", self.digest)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        assert "scope=repository%3Ateam%2Fbase%3Apull" in self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"token": "anonymous"}')

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def registry():
    kind = type("One", (Registry,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kind.address = f"127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    yield kind
    server.shutdown()
    server.server_close()


@pytest.fixture
def client():
    with httpx.Client() as client:
        yield client


@pytest.mark.parametrize("open_to_all", [True, False])
def test_the_digest_of_a_tag(registry, client, open_to_all) -> None:
    registry.open_to_all = open_to_all
    assert digest_of(client, f"{registry.address}/team/base:1.0") == DIGEST


@pytest.mark.parametrize(
    ("image", "digest", "message"),
    [
        ("{}/team/base", DIGEST, "has no tag"),
        ("{}/team/base:2.0", DIGEST, "has no team/base:2.0"),
        ("{}/team/base:1.0", None, "without a digest"),
        ("{}/team/base:1.0", "sha256:short", "without a digest"),
        ("localhost:1/team/base:1.0", DIGEST, "does not answer"),
    ],
)
def test_what_cannot_be_had_is_one_line(registry, client, image, digest, message) -> None:
    registry.digest = digest
    with pytest.raises(RegistryError, match=message) as raised:
        digest_of(client, image.format(registry.address))
    assert "\n" not in str(raised.value)


def test_pinning_writes_both_places_and_can_be_repeated(registry, client, tmp_path) -> None:
    image = f"{registry.address}/team/base:1.0"
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "Dockerfile").write_text(f"ARG BASE_IMAGE={image}\nFROM ${{BASE_IMAGE}}\n")
    (tmp_path / "bases.yaml").write_text(f"# kept\nbase:\n  image: {image}\n  digest: unresolved\n  why: x\n")
    for other in (DIGEST, "sha256:" + "b2" * 32):
        registry.digest = other
        assert pin_bases(tmp_path, client) == {image: other}
        assert f"ARG BASE_IMAGE={image}@{other}\n" in (tmp_path / "cpu" / "Dockerfile").read_text()
        assert (tmp_path / "bases.yaml").read_text().startswith("# kept\n")
        assert yaml.safe_load((tmp_path / "bases.yaml").read_text())["base"]["digest"] == other


def test_one_that_cannot_be_had_changes_nothing(registry, client, tmp_path) -> None:
    text = f"a:\n  image: {registry.address}/team/base:1.0\n  digest: unresolved\n"
    text += f"b:\n  image: {registry.address}/team/other:1.0\n  digest: unresolved\n"
    (tmp_path / "bases.yaml").write_text(text)
    with pytest.raises(RegistryError):
        pin_bases(tmp_path, client)
    assert (tmp_path / "bases.yaml").read_text() == text


def test_our_own_bases_are_of_the_shape_that_is_pinned() -> None:
    text = (Path(IMAGES) / "bases.yaml").read_text()
    for base in yaml.safe_load(text).values():
        assert f"image: {base['image']}\n  digest: " in text
