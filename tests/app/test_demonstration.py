"""The demo replaces what a demo left, and nothing that is somebody's own."""

from pathlib import Path

import pytest

from app import demonstration
from app.demonstration import run_demo
from app.errors import OutputError, SettingsError
from app.telemetry.progress import Silent


class BegunError(Exception):
    """The demo would now begin."""


@pytest.fixture(autouse=True)
def _begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def begins(*_: object) -> None:
        raise BegunError

    monkeypatch.setattr(demonstration, "simulate_survey", begins)


def begin(out: Path, device: str = "cpu") -> None:
    run_demo(out, device=device, seed=7, progress=Silent())


def test_a_folder_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "tiles" / "mine.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(
        OutputError, match=r"holds tiles that no demo is known to have left; give another --out"
    ):
        begin(tmp_path)
    assert mine.read_bytes() == b"mine"


def test_what_a_demo_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for _ in range(2):
        with pytest.raises(BegunError):
            begin(tmp_path)
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "old").write_text("old")
    with pytest.raises(BegunError):
        begin(tmp_path)
    assert not (tmp_path / "run").exists()
    assert (tmp_path / "other").is_dir()


def test_a_wrong_device_removes_nothing_and_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BegunError):
        begin(tmp_path)
    (tmp_path / "run").mkdir()
    with pytest.raises(SettingsError, match="device"):
        begin(tmp_path, device="gpu")
    assert (tmp_path / "run").is_dir()
