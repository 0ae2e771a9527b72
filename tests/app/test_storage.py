"""Files are whole or absent, on a full disk and a read-only one too."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import OutputError
from app.storage import (
    atomic_folder,
    atomic_write,
    require_writable,
    require_writable_file,
    sha256_file,
    write_json,
    write_text,
)

DISK_BYTES = 256 * 1024


def mounted(path: Path, options: str) -> Path:
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    path.mkdir()
    done = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"this machine does not let root mount: {done.stderr.decode().strip()}")
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = mounted(tmp_path / "small", f"size={DISK_BYTES}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    path = mounted(tmp_path / "fixed", "ro")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def everything_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def broken_source() -> Iterator[bytes]:
    yield b"half of the ne"
    raise ZeroDivisionError


def fill_and_fail(folder: Path) -> None:
    write_text(folder / "index.html", "page")
    raise ZeroDivisionError


def test_file_appears_whole_with_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "Grüße")
    assert path.read_text(encoding="utf-8") == "Grüße"
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert path.stat().st_mode == ordinary.stat().st_mode
    assert everything_in(tmp_path / "new") == ["a.txt"]


@pytest.mark.parametrize("letter", ["a", "ü", "海", "🌊"])
def test_a_name_may_be_as_long_as_the_disk_takes_it(tmp_path: Path, letter: str) -> None:
    name = letter * (255 // len(letter.encode()))
    write_text(tmp_path / name, "whole")
    with atomic_folder(tmp_path / "in" / name) as staging:
        (staging / "x").touch()
    assert (tmp_path / name).read_text() == "whole"
    assert (tmp_path / "in" / name / "x").exists()


def test_failure_inside_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as stream:
        stream.writelines(broken_source())
    assert path.read_text() == "old"
    assert everything_in(tmp_path) == ["a.txt"]


def test_error_of_the_caller_is_not_called_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        (tmp_path / "missing").read_bytes()


def test_nan_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"ap": float("nan")})
    assert everything_in(tmp_path) == []


def test_full_disk_is_one_line_and_leaves_nothing(small_disk: Path) -> None:
    write_text(small_disk / "kept.txt", "kept")
    with (
        pytest.raises(OutputError, match=r"cannot write .*big\.bin: the disk is full; free some") as caught,
        atomic_write(small_disk / "big.bin") as stream,
    ):
        stream.write(bytes(4 * DISK_BYTES))
    assert "\n" not in str(caught.value)
    assert everything_in(small_disk) == ["kept.txt"]


def test_disk_that_fills_up_at_the_last_flush_is_noticed(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(DISK_BYTES - 4096))
    with pytest.raises(OutputError, match="the disk is full"), atomic_write(small_disk / "a") as stream:
        stream.write(bytes(8000))  # stays in the buffer until the end
    assert everything_in(small_disk) == ["filler"]


def test_torch_on_a_full_disk_tells_of_the_disk(small_disk: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), atomic_write(small_disk / "a.pt") as stream:
        torch.save(torch.zeros(DISK_BYTES), stream)
    assert everything_in(small_disk) == []


def test_read_only_disk_is_told_before_the_work(read_only_disk: Path) -> None:
    with pytest.raises(OutputError, match="the file system is read-only; give another folder"):
        require_writable(read_only_disk / "out")
    with pytest.raises(OutputError, match="read-only"):
        write_text(read_only_disk / "a.txt", "x")
    with pytest.raises(OutputError, match="read-only"), atomic_folder(read_only_disk / "report"):
        pass


def test_path_through_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a part of the path is a file"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        require_writable(tmp_path / "file")


def test_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match="a folder has that name"):
        write_text(tmp_path / "a.txt", "x")
    assert everything_in(tmp_path) == ["a.txt"]


def test_require_writable_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    require_writable(tmp_path / "out")
    assert everything_in(tmp_path) == ["out"]


def test_a_file_still_to_be_written_is_no_folder_and_its_own_folder_is_made(tmp_path: Path) -> None:
    require_writable_file(tmp_path / "out" / "a.json")
    assert everything_in(tmp_path) == ["out"]
    with pytest.raises(OutputError, match="out: a folder has that name"):
        require_writable_file(tmp_path / "out")


def test_new_folder_appears_at_once(tmp_path: Path) -> None:
    target = tmp_path / "report"
    with atomic_folder(target) as staging:
        (staging / "pictures").mkdir()
        (staging / "pictures" / "1.png").write_bytes(b"png")
        write_text(staging / "index.html", "page")
        assert not target.exists()
    assert everything_in(target) == ["index.html", "pictures", "pictures/1.png"]
    assert everything_in(tmp_path)[0] == "report"


def test_folder_that_is_there_keeps_what_is_not_ours(tmp_path: Path) -> None:
    target = tmp_path / "report"
    write_text(target / "index.html", "old")
    write_text(target / "thesis.txt", "mine")
    with atomic_folder(target) as staging:
        write_text(staging / "index.html", "new")
        assert (target / "index.html").read_text() == "old"
    assert (target / "index.html").read_text() == "new"
    assert (target / "thesis.txt").read_text() == "mine"
    assert everything_in(tmp_path) == ["report", "report/index.html", "report/thesis.txt"]


@pytest.mark.parametrize("there_before", [True, False])
def test_folder_that_fails_is_as_it_was(tmp_path: Path, there_before: bool) -> None:
    target = tmp_path / "report"
    if there_before:
        target.mkdir()
    before = everything_in(tmp_path)
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as staging:
        fill_and_fail(staging)
    assert everything_in(tmp_path) == before


def test_folder_on_a_full_disk_names_the_users_path(small_disk: Path) -> None:
    target = small_disk / "report"
    with (
        pytest.raises(OutputError, match=f"cannot write {target}/page.html: the disk is full"),
        atomic_folder(target) as staging,
        atomic_write(staging / "page.html") as stream,
    ):
        stream.write(bytes(4 * DISK_BYTES))
    assert everything_in(small_disk) == []


def test_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_json_reads_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, None, "ü"]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, None, "ü"]}
