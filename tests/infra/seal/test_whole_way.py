"""From tiles at home to weights at home: trained sealed by the real program, killed and taken up, nothing seen."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from infra.errors import RunHomeError, SealError
from infra.hosts.local import LocalHost
from infra.runs.home import bring_home
from infra.runs.manifest import differences
from infra.runs.status import parse_metrics, parse_record, run_status
from infra.seal.data import seal_data
from infra.seal.key import SealKey, seal_key
from infra.seal.run import unseal_run

PROJECT = Path(__file__).resolve().parents[3]
IN_MEMORY = Path("/dev/shm")
EPOCHS = 24
PLANTED = b"PLANTED"
"""In names, contents and classes of the tiles, and so in checkpoints."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no /dev/shm: no file system in memory"),
]


def write_tiles(folder: Path) -> Path:
    """A YOLO folder whose images carry the planted bytes, bright squares on noise."""
    rng = np.random.default_rng(5)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(16):
        pixels = rng.integers(0, 90, (64, 64), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(4, 40, 2))
        pixels[y : y + 18, x : x + 18] = 240
        note = PngImagePlugin.PngInfo()
        note.add_text("survey", "PLANTED")
        name = f"PLANTED{index // 4}-{index:03d}"
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png", pnginfo=note)
        box = f"0 {(x + 9) / 64} {(y + 9) / 64} {18 / 64} {18 / 64}\n"
        (folder / "labels" / f"{name}.txt").write_text(box)
    (folder / "data.yaml").write_text("path: .\ntrain: images\nval: images\nnames: [PLANTED]\n")
    return folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A host's disk, and what is at home."""

    host: Path
    home: Path
    key: SealKey

    def start(self, data: Path, run: Path, **variables: str) -> "subprocess.Popen[bytes]":
        """The program as a job runs it: all that it may write to by itself lies on the host."""
        words = ["-m", "app", "train", "--data", str(data), "--run", str(run), "--recipe", "smoke"]
        words += ["--size-px", "64", "--epochs", str(EPOCHS), "--threads", "1", "--workers", "1"]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SONARSTACK_")}
        places = {"TMPDIR": str(self.host / "tmp"), "HOME": str(self.host / "user")}
        with (self.host / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=PROJECT,
                env=inherited | places | variables,
                stdout=log,
                stderr=log,
            )

    def train(self, data: Path, run: Path, **variables: str) -> int:
        return self.start(data, run, **variables).wait()

    def log(self) -> str:
        return (self.host / "log").read_text()

    def seen(self) -> list[str]:
        """Where on the host's disk the key or anything planted can be read, by content or by name."""
        files = [p for p in self.host.rglob("*") if p.is_file()]
        assert len(files) > 20
        secret = next(iter(self.key.secret_variables().values())).encode()
        found = [str(p) for p in files if any(word in p.read_bytes() for word in (PLANTED, secret))]
        return found + [str(p) for p in self.host.rglob("*") if PLANTED in p.name.encode()]


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = max((run / "checkpoints").glob("step-*.pt"))
    state: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["average"]["weights"]
    return state


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Tiles sealed and brought to the host; a run killed in the middle, taken up, and done."""
    folder = tmp_path_factory.mktemp("way")
    way = Way(host=folder / "host", home=folder / "home", key=seal_key(folder / "home" / "keys", "st"))
    for name in ("tmp", "user"):
        (way.host / name).mkdir(parents=True)
    seal_data(write_tiles(way.home / "tiles"), way.host / "data", way.key)
    secret = {**way.key.secret_variables(), "SONARSTACK_SEALED": "1", "SONARSTACK_CHECKPOINT_MINUTES": "0.01"}
    killed = way.start(way.host / "data", way.host / "run", **secret)
    mark, deadline = way.host / "run" / "sealed.json", time.monotonic() + 200
    while time.monotonic() < deadline and killed.poll() is None:
        if mark.is_file() and json.loads(mark.read_text())["generation"] >= 4:
            break
        time.sleep(0.02)
    killed.kill()
    assert killed.wait() == -9, way.log()
    assert not (way.host / "run" / "manifest.json").is_file() or not _complete(way.host / "run")
    assert way.seen() == []
    bring_home(LocalHost(), str(way.host / "run"), way.home / "cut-sealed", crashed=True)
    assert way.train(way.host / "data", way.host / "run", **secret) == 0, way.log()
    yield way
    left = [p for p in IN_MEMORY.glob("sonarstack-sealed-*") if p.stat().st_uid == os.getuid()]
    assert left == []


def _complete(run: Path) -> bool:
    return bool(json.loads((run / "manifest.json").read_text())["complete"])


def test_host_never_held_anything_open(way: Way) -> None:
    assert way.seen() == []
    assert "resumed from step-" in way.log()


def test_weights_are_those_of_an_open_run_that_nobody_cut(way: Way) -> None:
    plain = way.home / "plain"
    assert way.train(way.home / "tiles", plain) == 0, way.log()
    receipt = bring_home(LocalHost(), str(way.host / "run"), way.home / "sealed-run")
    assert receipt.complete
    opened = unseal_run(way.home / "sealed-run", way.home / "run", way.key)
    assert opened.complete
    assert opened.notes == ()
    assert differences(way.home / "run") == []
    sealed, whole = weights(way.home / "run"), weights(plain)
    assert sealed.keys() == whole.keys()
    assert all(torch.equal(sealed[name], whole[name]) for name in whole)
    assert PLANTED in (way.home / "run" / "run.json").read_bytes()


def test_figures_can_be_watched_without_the_key(way: Way) -> None:
    run = way.host / "run"
    metrics = parse_metrics((run / "metrics.jsonl").read_bytes())
    status = run_status(parse_record((run / "run.json").read_bytes()), metrics)
    assert status.epochs == EPOCHS
    assert status.step == status.total_steps
    assert status.ended == "all epochs done"


def test_killed_run_opens_at_its_last_checkpoint(way: Way) -> None:
    receipt = unseal_run(way.home / "cut-sealed", way.home / "cut", way.key, strict=False)
    assert receipt.began
    assert not receipt.complete
    assert len(receipt.notes) == 1
    assert weights(way.home / "cut")
    with pytest.raises(RunHomeError, match=r"manifest.json is missing|differs from its manifest"):
        unseal_run(way.home / "cut-sealed", way.home / "cut2", way.key)
    assert not (way.home / "cut2").exists()
    # The finished run takes the place of its own earlier state.
    assert unseal_run(way.host / "run", way.home / "cut", way.key).complete
    assert differences(way.home / "cut") == []


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "swap", "key", "another"])
def test_what_cannot_be_opened_leaves_home_as_it_was(way: Way, tmp_path: Path, damage: str) -> None:
    bring_home(LocalHost(), str(way.host / "run"), tmp_path / "sealed-run")
    key, home = way.key, tmp_path / "run"
    victim = max((tmp_path / "sealed-run" / "sealed").iterdir(), key=lambda p: p.stat().st_size)
    data = victim.read_bytes()
    if damage == "flip":
        victim.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif damage == "cut":
        victim.write_bytes(data[: len(data) // 2])
    elif damage == "missing":
        victim.unlink()
    elif damage == "swap":  # with the smallest, which is as well sealed
        victim.write_bytes(min(victim.parent.iterdir(), key=lambda p: p.stat().st_size).read_bytes())
    elif damage == "key":
        key = seal_key(tmp_path / "keys", "other")
    else:
        home.mkdir()
        (home / "run.json").write_text('{"another": "run"}')
    before = sorted(p for p in home.rglob("*"))
    with pytest.raises((SealError, RunHomeError)) as told:
        unseal_run(tmp_path / "sealed-run", home, key)
    assert "\n" not in str(told.value)
    told_of = {
        "flip": "cannot be unsealed: it is cut short, changed",
        "cut": "cannot be unsealed: it is cut short, changed",
        "missing": "is missing: the sealed folder is not whole",
        "swap": "is not the file that the sealed index names",
        "key": "is sealed for another key than the one given",
        "another": "holds another run; move it away",
    }
    assert told_of[damage] in str(told.value)
    assert sorted(p for p in home.rglob("*")) == before
    assert {p.name for p in tmp_path.iterdir()} <= {"sealed-run", "keys", "run"}


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({}, "error: the data is sealed and SONARSTACK_SEAL_KEY is not set: a host that was started again"),
        ({"SONARSTACK_SEAL_KEY": "AGE-SECRET"}, "error: SONARSTACK_SEAL_KEY is no age identity"),
    ],
)
def test_without_its_key_the_program_begins_nothing(way: Way, variables: dict[str, str], why: str) -> None:
    before = sorted(p for p in way.host.rglob("*"))
    assert way.train(way.host / "data", way.host / "run2", **variables) == 1
    assert why in way.log()
    assert sorted(p for p in way.host.rglob("*")) == before
