"""What a registry on loopback says of an image: its digest and its labels."""

from pathlib import Path

import httpx
import pytest
import yaml

from infra.errors import RegistryError
from infra.registry import digest_of, labels_of
from stacks.verbs.pin import IMAGES, pin_bases
from tests.fake_registry import DIGEST, LOGIN, registry, serve

__all__ = ["registry"]


@pytest.fixture
def client():
    with httpx.Client() as client:
        yield client


@pytest.mark.parametrize("challenge", [None, "Bearer"])
def test_the_digest_of_a_tag(registry, client, challenge) -> None:
    registry.challenge = challenge
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


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("labels", [{"org.sonarstack.seam": "1", "a": "b"}, {}, None])
def test_the_labels_of_an_image(registry, index, labels) -> None:
    registry.put(labels, index=index)
    assert labels_of(f"{registry.address}/team/base:1.0") == (labels or {})
    tokens = [path for _, path, _ in registry.asked if path.startswith("/token")]
    assert len(tokens) == 1, "one token for all of it"


def test_the_labels_of_a_digest(registry) -> None:
    registry.put({"a": "b"}, index=False)
    registry.documents[f"manifests/{DIGEST}"] = registry.documents.pop("manifests/1.0")
    assert labels_of(f"{registry.address}/team/base@{DIGEST}") == {"a": "b"}
    assert labels_of(f"{registry.address}/team/base:9.9@{DIGEST}") == {"a": "b"}


def test_a_blob_that_lies_elsewhere_is_read_there_without_the_token(registry) -> None:
    registry.put({"a": "b"})
    serving = serve(challenge=None)
    elsewhere = next(serving)
    try:
        elsewhere.documents, registry.moved = registry.documents, f"http://{elsewhere.address}"
        assert labels_of(f"{registry.address}/team/base:1.0") == {"a": "b"}
        assert [authorization for _, _, authorization in elsewhere.asked] == [None]
    finally:
        next(serving, None)


@pytest.mark.parametrize("challenge", ["Bearer", "Basic"])
def test_a_private_image_is_read_with_its_login_alone(registry, challenge) -> None:
    registry.put({"a": "b"})
    registry.challenge, registry.private = challenge, True
    image = f"{registry.address}/team/base:1.0"
    for login in (None, ("me", "wrong-planted")):
        with pytest.raises(RegistryError) as raised:
            labels_of(image, login)
        assert "\n" not in str(raised.value)
        assert "planted" not in str(raised.value)
    assert labels_of(image, LOGIN) == {"a": "b"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"manifests": []}, "has no build for linux/amd64"),
        ({"manifests": [3]}, "in a form unknown"),
        ({"layers": []}, "in a way unknown"),
        ([1], "something unknown"),
    ],
)
def test_what_describes_no_image_is_one_line(registry, document, message) -> None:
    registry.documents = {"manifests/1.0": document}
    with pytest.raises(RegistryError, match=message) as raised:
        labels_of(f"{registry.address}/team/base:1.0")
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
