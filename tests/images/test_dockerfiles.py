"""What every image of ours must be, read from its Dockerfile."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

IMAGES = Path(__file__).resolve().parents[2] / "images"
DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile"))


@pytest.fixture(params=DOCKERFILES, ids=lambda p: p.parent.name)
def text(request) -> str:
    return request.param.read_text()


def stages(text: str) -> list[str]:
    return re.findall(r"^FROM (\S+)", text, re.MULTILINE)


def test_there_are_images() -> None:
    assert {p.parent.name for p in DOCKERFILES} == {"cpu", "cuda", "cloud"}


def test_every_base_is_an_argument_whose_default_is_an_exact_tag_of_the_one_place(text) -> None:
    tags = {
        base["image"] if base["digest"] == "unresolved" else f"{base['image']}@{base['digest']}"
        for base in yaml.safe_load((IMAGES / "bases.yaml").read_text()).values()
    }
    bases = dict(re.findall(r"^ARG (BASE_IMAGE|CUDA_IMAGE)=(\S+)", text, re.MULTILINE))
    # The cloud image stands on our own CUDA image, every other on a base of the one place.
    assert bases == {"CUDA_IMAGE": "sonarstack:cuda"} or set(bases.values()) <= tags
    assert all(":" in tag and not tag.endswith(":latest") for tag in tags)
    named = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    assert set(stages(text)) - named == {f"${{{name}}}" for name in bases}


def test_a_digest_is_one_or_is_said_to_be_unresolved() -> None:
    for base in yaml.safe_load((IMAGES / "bases.yaml").read_text()).values():
        assert re.fullmatch(r"unresolved|sha256:[0-9a-f]{64}", base["digest"])


def test_nothing_runs_as_root(text) -> None:
    final = text[text.rindex("ENTRYPOINT") - 400 :]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "USER root" not in text
    assert "sudo" not in text


def test_the_result_is_made_in_stages_without_compilers(text) -> None:
    assert len(stages(text)) > 1
    assert not re.search(r"build-essential|\bgcc\b|-dev\b", text)
    for install in re.findall(r"apt-get install [^&;]+", text):
        assert "--no-install-recommends" in install
    assert text.count("apt-get install") <= 1


def test_no_secret_and_no_index_is_written_down(text) -> None:
    assert not re.search(r"(?i)(password|token|secret|api_?key)\s*=", text)
    assert not re.search(r"https?://", text)


def test_a_known_linter_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, *map(str, DOCKERFILES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_pins_of_the_images_agree() -> None:
    gpu, cpu, cloud = (
        set((IMAGES.parent / f"requirements{kind}.txt").read_text().splitlines())
        for kind in ("", "-cpu", "-cloud")
    )
    assert cpu < gpu < cloud
    assert all(line.startswith(("nvidia-", "cuda-", "triton")) for line in gpu - cpu)
    assert not any("://" in line for line in cloud)


def test_health_and_labels(text) -> None:
    assert "HEALTHCHECK" in text
    for label in (
        "org.opencontainers.image.title",
        "org.opencontainers.image.licenses",
        "org.sonarstack.seam",
    ):
        assert label in text


def test_only_what_images_copy_reaches_the_builder(text) -> None:
    lines = (IMAGES.parent / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for word in source.split():
            assert word in allowed


def test_variants_say_why() -> None:
    for variant in yaml.safe_load((IMAGES / "cuda" / "variants.yaml").read_text()).values():
        assert {"torch", "torchvision", "cuda", "min_driver", "min_compute", "why"} == set(variant)
