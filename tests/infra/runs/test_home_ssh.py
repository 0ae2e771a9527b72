"""A run comes home over a real sshd: cut and gone on with, damaged and mended, cancelled in the middle."""

import math
import os
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from infra.errors import HostError, RunHomeError
from infra.hosts.far_tree import PARTIAL
from infra.hosts.process import CancelledError
from infra.hosts.tree import local_tree
from infra.runs.home import bring_home
from infra.runs.manifest import differences
from tests.infra.hosts.conftest import far, host, line
from tests.infra.hosts.proxy import flip_byte
from tests.infra.runs.test_home import seal

__all__ = ["far", "host", "line"]
MIB = 2**20
OVERHEAD = 4 * MIB
"""Of ssh, of checksums, and of what was under way when the line was cut."""


@pytest.fixture
def run(sshd) -> Path:
    folder = sshd.home / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "checkpoints" / "step 1.pt").write_bytes(os.urandom(40 * MIB))
    seal(folder)
    return folder


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "at: home"


def test_a_cut_line_is_gone_on_with_and_nothing_is_fetched_twice(far, line, run, home) -> None:
    line.cut_down_at, line.away_s = 25 * MIB, 1.5
    receipt = bring_home(far, str(run), home)
    assert (receipt.files, receipt.complete, receipt.notes) == (3, True, ())
    assert line.cuts == 1
    assert line.down < 40 * MIB + OVERHEAD  # begun anew it would be 65 MiB
    assert differences(home) == []
    assert not list(home.rglob(PARTIAL))


def test_a_pull_that_gave_up_is_gone_on_with_by_the_next(far, line, run, home, monkeypatch) -> None:
    monkeypatch.setattr("infra.hosts.patience.WAITS_S", (0.1,))
    line.cut_down_at, line.away_s = 25 * MIB, math.inf
    with pytest.raises(HostError, match="cannot be reached"):
        bring_home(far, str(run), home)
    assert not (home / "checkpoints" / "step 1.pt").exists()  # half a file never bears its name
    line.back()
    before = line.down
    assert bring_home(far, str(run), home).complete
    assert line.down - before < 17 * MIB + OVERHEAD


def test_a_byte_flipped_at_home_is_noticed_and_mended_by_the_next(far, line, run, home) -> None:
    bring_home(far, str(run), home)
    flip_byte(home / "checkpoints" / "step 1.pt", 20 * MIB)
    assert differences(home) == ["checkpoints/step 1.pt differs"]
    before = line.down
    assert bring_home(far, str(run), home).notes == ()
    assert differences(home) == []
    assert line.down - before < OVERHEAD


def test_a_byte_flipped_there_before_it_came_home_is_told_by_the_manifest(far, run, home) -> None:
    flip_byte(run / "checkpoints" / "step 1.pt", 20 * MIB)
    with pytest.raises(RunHomeError, match=r"differs from its manifest: checkpoints/step 1.pt differs"):
        bring_home(far, str(run), home)


def test_a_byte_flipped_there_afterwards_does_not_come_home_over_the_good_one(far, run, home) -> None:
    bring_home(far, str(run), home)
    good = local_tree(home)
    flip_byte(run / "checkpoints" / "step 1.pt", 20 * MIB)
    receipt = bring_home(far, str(run), home)
    assert local_tree(home) == good
    assert receipt.complete
    assert "1 files on ssh://" in receipt.notes[0]
    assert receipt.notes[0].endswith(
        "no longer match the manifest, checkpoints/step 1.pt first; those here do"
    )


def test_cancel_ends_a_pull_in_the_middle_and_keeps_what_has_arrived(far, line, run, home) -> None:
    line.bytes_per_s = 4 * MIB  # ten seconds for it all
    told: list[BaseException] = []
    stop = threading.Event()

    def pull() -> None:
        try:
            bring_home(far, str(run), home, cancelled=stop.is_set)
        except CancelledError as error:
            told.append(error)

    puller = threading.Thread(target=pull)
    puller.start()
    while line.down < 12 * MIB:
        time.sleep(0.05)
    started = time.monotonic()
    stop.set()
    puller.join()
    assert time.monotonic() - started < 4.0
    assert str(told[0]) == "the copying was cancelled; what has arrived is kept"
    left = [one.name() for one in psutil.Process().children(recursive=True)]
    assert not any(name in ("rsync", "ssh") for name in left)
    before, line.bytes_per_s = line.down, None
    assert bring_home(far, str(run), home).complete
    assert line.down - before < 36 * MIB


def test_cancel_ends_the_check_too(far, line, run, home, monkeypatch) -> None:
    monkeypatch.setattr("infra.hosts.far_tree.LIST", "sleep 60")
    started = time.monotonic()
    with pytest.raises(CancelledError, match="was cancelled"):
        bring_home(far, str(run), home, cancelled=lambda: time.monotonic() > started + 4.0)
    assert time.monotonic() - started < 10.0


def test_files_that_vanish_while_a_run_goes_on_are_no_error(far, line, run, home) -> None:
    for number in range(40):
        (run / f"log-{number:02}").write_bytes(os.urandom(MIB))
    line.bytes_per_s = 8 * MIB

    def tidy() -> None:
        while line.down < 4 * MIB:
            time.sleep(0.02)
        for number in range(30, 40):
            (run / f"log-{number}").unlink()

    tidying = threading.Thread(target=tidy)
    tidying.start()
    receipt = bring_home(far, str(run), home, over=False)
    tidying.join()
    assert receipt.began
    assert not (home / "log-39").exists()
    assert (home / "log-00").exists()


def test_a_disk_here_that_is_full(far, run, tmp_path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(HostError, match="the disk of this machine is full; free some room"):
            bring_home(far, str(run), small / "home")
    finally:
        subprocess.run(["umount", str(small)], check=True)
