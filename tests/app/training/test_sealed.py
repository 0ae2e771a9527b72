"""A sealed training: refused without what it needs, and gone from memory at its end however it ends."""

import os
import signal
from pathlib import Path

import pytest

from app.config.settings import Settings
from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.errors import DatasetError, OutputError, RunError, SealError, SettingsError
from app.exit_codes import ExitCode
from app.seal import memory
from app.seal.folder import read_index, stored
from app.seal.key import SealKey
from app.seal.sealed_mirror import SealedMirror
from app.secrets import SEAL_KEY, SecretsManager
from app.telemetry.progress import Silent
from app.training import sealed
from app.training.manifest import is_complete, verify_manifest
from app.training.request import TrainRequest
from app.training.run_folder import RunFolder
from app.training.sealed import run_sealed, seal_key
from tests.app.seal.made_sealed import flip_a_bit, new_key, seal_folder
from tests.app.training.made_run import tiny_config, write_squares


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the memory, so that other tests' leftovers are not ours."""
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(memory, "memory_mounts", lambda: (tmp_path / "memory",))
    return tmp_path / "memory"


@pytest.fixture
def key() -> SealKey:
    return new_key()


@pytest.fixture
def data(tmp_path: Path, key: SealKey) -> Path:
    seal_folder(write_squares(tmp_path / "tiles"), tmp_path / "host" / "data", key)
    return tmp_path / "host" / "data"


def settings(data: Path, **cloud: object) -> Settings:
    return Settings.model_validate({"data": str(data), "cloud": {"sealed": True, **cloud}})


def request(tmp_path: Path, *, resume: bool = True) -> TrainRequest:
    return TrainRequest(run=tmp_path / "host" / "run", resume=resume, dtype="float32", threads=1)


class StopAfter(Silent):
    """Asks for a stop with a real SIGTERM once so many images are done."""

    def __init__(self, images: float) -> None:
        self._left = images

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._left -= amount
        if self._left <= 0:
            self._left = float("inf")
            os.kill(os.getpid(), signal.SIGTERM)


def test_stopped_and_taken_up(data: Path, key: SealKey, tmp_path: Path, mount: Path) -> None:
    config, place = tiny_config(epochs=3), tmp_path / "host" / "run"
    first = run_sealed(settings(data), request(tmp_path), key, config=config, progress=StopAfter(22))
    assert first.code is ExitCode.INTERRUPTED
    assert (first.run, first.model) == (str(place), None)
    assert verify_manifest(place) == []
    assert not is_complete(place)
    assert list(mount.iterdir()) == []
    second = run_sealed(settings(data), request(tmp_path), key, config=config, progress=Silent())
    assert second.code is ExitCode.DONE
    assert verify_manifest(place) == []
    assert is_complete(place)
    third = run_sealed(settings(data), request(tmp_path), key, config=config, progress=Silent())
    assert "complete already" in third.reason
    with pytest.raises(RunError, match=r"run already holds a run; give another --run") as told:
        run_sealed(settings(data), request(tmp_path, resume=False), key, config=config, progress=Silent())
    assert str(place) in str(told.value)
    assert list(mount.iterdir()) == []
    opened = tmp_path / "open"
    RunFolder(opened, mirror=SealedMirror(opened, place, key)).restore()
    assert verify_manifest(opened) == []


@pytest.mark.parametrize("sealed_data", [True, False])
def test_without_a_key_nothing_is_begun(data: Path, tmp_path: Path, sealed_data: bool) -> None:
    at = data if sealed_data else tmp_path / "tiles"
    with pytest.raises(
        SealError, match=f"the {'data' if sealed_data else 'run'} is sealed and {SEAL_KEY} is not"
    ):
        seal_key(settings(at), SecretsManager({}))
    assert seal_key(Settings(data=str(tmp_path / "tiles")), SecretsManager({})) is None


def test_data_that_lies_open_is_refused(tmp_path: Path, data: Path, key: SealKey, mount: Path) -> None:
    with pytest.raises(SealError, match="is not sealed, but the run is"):
        run_sealed(settings(tmp_path / "tiles"), request(tmp_path), key, progress=Silent())
    with pytest.raises(SettingsError, match="needs labelled tiles"):
        run_sealed(Settings(), request(tmp_path), key, progress=Silent())


def test_damaged_data_trains_nothing(tmp_path: Path, data: Path, key: SealKey, mount: Path) -> None:
    flip_a_bit(max((data / "sealed").iterdir(), key=lambda p: p.stat().st_size), 500)
    with pytest.raises(SealError, match="cannot be unsealed: it is cut short, changed"):
        run_sealed(settings(data), request(tmp_path), key, progress=Silent())
    assert list(mount.iterdir()) == []
    assert not (tmp_path / "host" / "run" / "run.json").exists()


def test_file_that_is_missing_is_not_named(tmp_path: Path, key: SealKey, mount: Path) -> None:
    tiles = write_squares(tmp_path / "tiles")
    (tiles / "images" / "tile000.png").rename(tiles / "images" / "wreck of the ANNA.png")
    lacking = seal_folder(tiles, tmp_path / "host" / "lacking", key)
    file = read_index(tmp_path / "host" / "lacking", lacking, key).files["images/wreck of the ANNA.png"]
    stored(tmp_path / "host" / "lacking", file.sealed).unlink()
    with pytest.raises(SealError, match="is missing") as told:
        run_sealed(settings(tmp_path / "host" / "lacking"), request(tmp_path), key, progress=Silent())
    assert "ANNA" not in str(told.value)


def test_memory_that_is_too_small_is_told_before_anything(
    tmp_path: Path, data: Path, key: SealKey, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: 64 << 20)
    with pytest.raises(
        SealError, match=r"needs 256 MiB in memory, and .* has 64 MiB free; use a machine with"
    ):
        run_sealed(settings(data), request(tmp_path), key, progress=Silent())


def test_defects_are_counted_and_not_named(tmp_path: Path, key: SealKey, mount: Path) -> None:
    tiles = write_squares(tmp_path / "tiles")
    (tiles / "labels" / "tile001.txt").write_text("0 PLANTED\n")
    seal_folder(tiles, tmp_path / "host" / "data", key)
    with pytest.raises(DatasetError, match="the sealed data has 1 defects, which are not named here") as told:
        run_sealed(
            settings(tmp_path / "host" / "data"),
            request(tmp_path),
            key,
            config=tiny_config(),
            progress=Silent(),
        )
    assert told.value.defects == ()
    assert "PLANTED" not in str(told.value)
    assert "tile001" not in str(told.value)


def test_data_that_is_one_group_is_refused_and_the_group_not_named(
    tmp_path: Path, key: SealKey, mount: Path
) -> None:
    tiles = write_squares(tmp_path / "tiles", count=4)
    for file in tiles.rglob("*"):
        if file.is_file() and b"g0" in file.read_bytes():
            file.write_bytes(file.read_bytes().replace(b"g0", b"wreck of the ANNA"))
    with pytest.raises(DatasetError, match=r"is one group \(wreck of the ANNA\)"):
        split_by_group(read_tiles(tiles)[0])
    seal_folder(tiles, tmp_path / "host" / "data", key)
    with pytest.raises(DatasetError, match="cannot be trained on, and why is not told here") as told:
        run_sealed(
            settings(tmp_path / "host" / "data"),
            request(tmp_path),
            key,
            config=tiny_config(),
            progress=Silent(),
        )
    assert "ANNA" not in str(told.value)


def test_copy_beyond_that_is_behind_at_the_end_is_an_error(
    tmp_path: Path, data: Path, key: SealKey, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / "far"

    def away(*arguments: object, **named: object) -> object:
        (far / "mirror.json").unlink()
        (far / "mirror.json").mkdir()
        return run_training(*arguments, **named)  # type: ignore[arg-type]

    run_training = sealed.run_training
    SealedMirror(tmp_path / "x", tmp_path / "host" / "run", key, beyond=str(far)).require_writable()
    (far / "mirror.json").write_text("{}")
    monkeypatch.setattr(sealed, "run_training", away)
    with pytest.raises(
        OutputError, match=r"the run lies sealed in .*run, and its copy is behind: cannot mirror to"
    ):
        run_sealed(
            settings(data, run_url=str(far)),
            request(tmp_path),
            key,
            config=tiny_config(epochs=1),
            progress=Silent(),
        )
    assert is_complete(tmp_path / "host" / "run")
