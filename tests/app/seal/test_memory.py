"""What is unsealed lies in memory, and does not stay there."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.errors import SealError
from app.seal.memory import PREFIX, memory_folder, memory_mounts


def leftovers(mount: Path) -> list[Path]:
    return list(mount.glob(f"{PREFIX}*"))


@pytest.fixture
def mount() -> Path:
    found = memory_mounts()
    if not found:
        pytest.skip("no file system in memory here that this user may write to")
    return found[0]


def test_lies_in_memory_with_the_temporary_files(mount: Path) -> None:
    before = tempfile.gettempdir()
    with memory_folder(1000) as folder:
        assert folder.parent == mount
        assert folder.stat().st_mode & 0o077 == 0
        with tempfile.NamedTemporaryFile() as temporary:
            assert folder in Path(temporary.name).parents
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    assert not folder.exists()
    assert tempfile.gettempdir() == before


def test_goes_after_an_error_too(mount: Path) -> None:
    folder = None
    try:
        with memory_folder(1) as folder:
            (folder / "x").write_text("x")
            raise RuntimeError
    except RuntimeError:
        assert folder is not None
        assert not folder.exists()


def test_says_how_much_is_needed(tmp_path: Path) -> None:
    needed = r"needs \d{7} MiB in memory, and .* has \d+ MiB free; use a machine"
    with pytest.raises(SealError, match=needed), memory_folder(1 << 40, mounts=(tmp_path,)):
        pass
    with pytest.raises(SealError, match="no file system here is in memory"), memory_folder(1, mounts=()):
        pass


CHILD = """
import os, sys, time
from pathlib import Path
from app.seal.memory import memory_folder
with memory_folder(1, mounts=(Path(sys.argv[1]),)) as folder:
    (folder / 'secret').write_text('x')
    print(folder, flush=True)
    time.sleep(60)
"""


def start_child(mount: Path) -> tuple["subprocess.Popen[str]", Path]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(mount)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def test_killed_process_is_cleaned_up_after_and_a_living_one_is_not(tmp_path: Path) -> None:
    dead, its = start_child(tmp_path)
    dead.kill()
    dead.communicate()
    assert (its / "secret").exists()
    living, other = start_child(tmp_path)
    try:
        assert leftovers(tmp_path) == [other]
        with memory_folder(1, mounts=(tmp_path,)):
            assert (other / "secret").exists()
    finally:
        living.send_signal(signal.SIGTERM)
        living.communicate()
    assert leftovers(tmp_path) == []
    assert os.listdir(tmp_path) == []  # noqa: PTH208 also what is hidden
