"""A container's share of the cores counts where it is less than what its host lets it run on."""

import os
from pathlib import Path

import pytest

from app.device.cores import usable_cores


@pytest.fixture(autouse=True)
def _sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("told", "cores"),
    [
        ("400000 100000\n", 4),
        ("250000 100000\n", 3),
        ("5000 100000\n", 1),
        ("9900000 100000\n", 16),
        ("max 100000\n", 16),
    ],
)
def test_a_share_of_time(tmp_path: Path, told: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(told)
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("350000\n", 4), ("-1\n", 16)])
def test_as_older_kernels_tell_it(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == cores


def test_no_container(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 16
