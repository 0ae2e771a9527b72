"""Processes that prepare batches: the same ones, errors told, none left behind, threads where they die."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.dataset.augment import Augmentation
from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.read import read_tiles
from app.dataset.tile_batches import TileBatches
from app.dataset.tiles import TileSet
from app.device.shared_bytes import CAN_SHARE
from app.errors import DatasetError
from tests.app.dataset.made_sets import make_yolo
from tests.app.dataset.test_loader import assert_same

pytestmark = pytest.mark.skipif(not CAN_SHARE, reason="only Linux shares memory without a name")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    root = tmp_path_factory.mktemp("set")
    return read_tiles(make_yolo(root, {f"{i}": "0 .5 .5 .2 .2" if i % 3 else "" for i in range(22)}))[0]


def batches_of(tiles: TileSet, cache: PixelCache | None = None, batch_size: int = 4) -> TileBatches:
    return TileBatches(
        tiles,
        cache or PixelCache(tiles),
        range(len(tiles)),
        size_px=64,
        batch_size=batch_size,
        seed=3,
        augmentation=Augmentation(),
        whole_tiles_from=2,
    )


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Those that prepare tiles."""
    return [p for p in process.children() if "app.dataset.tile_worker" in p.cmdline()]


@pytest.mark.parametrize("limit_bytes", [None, 0], ids=["pixels in memory", "pixels in a file"])
def test_what_comes_is_what_threads_prepare(tiles: TileSet, limit_bytes: int | None) -> None:
    threads = TileLoader(batches_of(tiles))
    processes = TileLoader(
        batches_of(tiles, PixelCache(tiles, limit_bytes=limit_bytes)), workers=2, processes=True
    )
    for epoch in (0, 1, 2):
        assert_same(list(processes.batches(epoch)), list(threads.batches(epoch)))
    assert_same(list(processes.batches(1, start_batch=4)), list(threads.batches(1))[4:])
    processes.close()


def test_pixels_that_one_process_decoded_are_there_for_all(tiles: TileSet) -> None:
    cache = PixelCache(tiles)
    loader = TileLoader(batches_of(tiles, cache), processes=True)
    list(loader.batches(0))
    loader.close()
    assert cache._decoded[: len(tiles)].all()
    for index in range(len(tiles)):
        assert (cache.get(index) == PixelCache(tiles).get(index)).all()


def test_an_epoch_that_is_left_early_spoils_no_later_batch(tiles: TileSet) -> None:
    loader = TileLoader(batches_of(tiles), workers=2, processes=True)
    wanted = list(TileLoader(batches_of(tiles)).batches(1))
    for _ in range(10):
        left = loader.batches(0)
        next(left)
        left.close()
        assert_same(list(loader.batches(1)), wanted)
    loader.close()


def test_an_error_reaches_the_loop(tmp_path: Path) -> None:
    own = read_tiles(make_yolo(tmp_path, {f"{i:02}": "" for i in range(12)}))[0]
    own.tiles[7].path.unlink()
    notes: list[str] = []
    loader = TileLoader(batches_of(own), workers=2, processes=True, note=notes.append)
    with pytest.raises(DatasetError, match=r"07\.png changed or vanished"):
        list(loader.batches(0))
    assert notes == [], "it is no reason to fall back on threads"
    loader.close()


def test_closing_ends_them(tiles: TileSet) -> None:
    loader = TileLoader(batches_of(tiles), workers=2, processes=True)
    list(loader.batches(0))
    found = workers_of(psutil.Process())
    assert found
    loader.close()
    assert psutil.wait_procs(found, timeout=10)[1] == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_go_on_where_a_process_is_killed(tiles: TileSet, count: int) -> None:
    notes: list[str] = []
    loader = TileLoader(batches_of(tiles, batch_size=1), workers=count, processes=True, note=notes.append)
    coming = loader.batches(0)
    ours = [next(coming), next(coming)]
    found = workers_of(psutil.Process())
    assert len(found) == count
    found[0].kill()
    ours += list(coming)
    threads = TileLoader(batches_of(tiles, batch_size=1))
    assert_same(ours, list(threads.batches(0)))
    assert_same(list(loader.batches(1)), list(threads.batches(1)))
    (note,) = notes
    assert "was killed by signal 9, as where memory is short: going on with threads" in note
    assert psutil.wait_procs(found, timeout=10)[1] == []


def test_one_that_dies_unnoticed_is_told_with_the_next_epoch(tiles: TileSet) -> None:
    notes: list[str] = []
    loader = TileLoader(batches_of(tiles, batch_size=1), workers=2, processes=True, note=notes.append)
    left = loader.batches(0)
    next(left)
    for worker in workers_of(psutil.Process()):
        worker.kill()
    left.close()
    assert_same(list(loader.batches(1)), list(TileLoader(batches_of(tiles, batch_size=1)).batches(1)))
    assert len(notes) == 1


def test_threads_go_on_where_no_process_can_be_started(
    tiles: TileSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    notes: list[str] = []
    loader = TileLoader(batches_of(tiles), workers=2, processes=True, note=notes.append)
    assert_same(list(loader.batches(0)), list(TileLoader(batches_of(tiles)).batches(0)))
    assert notes == [
        "no process can be started (No such file or directory): going on with threads, which may be slower"
    ]


def test_the_script_that_trains_is_not_run_again(tiles: TileSet, tmp_path: Path) -> None:
    """Scripts need no guard around what they do, and a long path for temporary files is no obstacle."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom app.dataset.read import read_tiles\n"
        "from app.dataset.loader import TileLoader\n"
        "from tests.app.dataset.test_tile_processes import batches_of\n"
        "print('once')\n"
        "batches = batches_of(read_tiles(Path(sys.argv[1]))[0])\n"
        "loader = TileLoader(batches, workers=2, processes=True, note=print)\n"
        "print(len(list(loader.batches(0))))\nloader.close()\n"
    )
    long = tmp_path / ("x" * 90)
    long.mkdir()
    done = subprocess.run(
        [sys.executable, script, tiles.root],
        env=os.environ | {"TMPDIR": str(long), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "once\n6\n"


def test_they_end_with_a_parent_that_is_killed(tiles: TileSet) -> None:
    program = (
        "import sys, time; from pathlib import Path; from app.dataset.read import read_tiles;"
        "from app.dataset.loader import TileLoader;"
        "from tests.app.dataset.test_tile_processes import batches_of;"
        "loader = TileLoader(batches_of(read_tiles(Path(sys.argv[1]))[0]), workers=2, processes=True);"
        "list(loader.batches(0)); print('ready', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tiles.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        found = workers_of(psutil.Process(parent.pid))
        assert len(found) == 2
        parent.kill()
    assert psutil.wait_procs(found, timeout=10)[1] == []


class StruckPopen(subprocess.Popen[bytes]):
    """A process that gets Ctrl-C's signal and a host's before it has done anything."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.send_signal(signal.SIGINT)
        self.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("early", [False, True])
def test_ctrl_c_leaves_them_to_their_parent(
    tiles: TileSet, early: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if early:
        monkeypatch.setattr(subprocess, "Popen", StruckPopen)
    notes: list[str] = []
    loader = TileLoader(batches_of(tiles), workers=2, processes=True, note=notes.append)
    coming = loader.batches(0)
    next(coming)
    found = workers_of(psutil.Process())
    assert len(found) == 2
    for worker in found:
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
    assert len(list(coming)) == 5
    assert len(list(loader.batches(1))) == 6
    assert workers_of(psutil.Process()) == found
    assert notes == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    loader.close()
