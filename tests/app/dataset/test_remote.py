"""A data set at an address comes once, whole and checked; what changed there changes here."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from app.dataset import remote
from app.dataset.remote import STATE, local_data
from app.errors import DatasetError, OutputError
from app.mirror import Mirror
from app.storage import write_text
from app.telemetry.progress import Silent

ADDRESS = "memory://bucket/tiles"


class Counting(Silent):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.notes: list[str] = []

    def start(self, what: str, total: float | None) -> None:
        self.total = total

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.notes.append(note)


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    if store.exists("/bucket"):
        store.rm("/bucket", recursive=True)


def send(folder: Path, files: dict[str, str]) -> None:
    """By the program's own copy, which writes the index."""
    for name in [p for p in folder.rglob("*") if p.is_file() and p.name != ".mirror-owner"]:
        name.unlink()
    for name, text in files.items():
        write_text(folder / name, text)
    Mirror(folder, ADDRESS).push()


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


FILES = {"images/a.png": "pixels", "labels/a.txt": "0 1 1 1 1", "classes.txt": "mine"}


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert local_data(str(tmp_path), Silent()) == tmp_path
    assert local_data("tiles", Silent()) == Path("tiles")


@pytest.mark.parametrize("indexed", [True, False])
def test_it_comes_once_and_then_only_what_changed(memory: Any, tmp_path: Path, indexed: bool) -> None:
    def put(files: dict[str, str]) -> None:
        send(tmp_path / "home", files)
        if not indexed:
            memory.rm_file("/bucket/tiles/mirror.json")
            (tmp_path / "home" / ".mirror-owner").unlink()

    put(FILES)
    folder = local_data(ADDRESS + "/", Silent(), cache=tmp_path / "cache")
    assert folder.name == "tiles"
    assert contents(folder) == FILES
    progress = Counting()
    assert local_data(ADDRESS, progress, cache=tmp_path / "cache") == folder
    assert progress.notes == []
    changed = {"images/a.png": "pixels, other ones", "classes.txt": "mine", "images/b.png": "new"}
    if not indexed:
        memory.rm("/bucket", recursive=True)
    put(changed)
    local_data(ADDRESS, progress, cache=tmp_path / "cache")
    assert contents(folder) == changed
    if indexed:
        assert sorted(progress.notes) == ["images/a.png", "images/b.png"]


def test_a_name_may_be_as_long_as_the_disk_takes_it(memory: Any, tmp_path: Path) -> None:
    long = {f"{'w' * 251}.png": "pixels"}
    send(tmp_path / "tiles", long)
    assert contents(local_data(ADDRESS, Silent(), cache=tmp_path / "cache")) == long


def test_what_was_damaged_here_comes_again(memory: Any, tmp_path: Path) -> None:
    send(tmp_path / "home", FILES)
    folder = local_data(ADDRESS, Silent(), cache=tmp_path / "cache")
    (folder / "classes.txt").write_text("wrong")
    assert contents(local_data(ADDRESS, Silent(), cache=tmp_path / "cache")) == FILES


def test_what_is_damaged_there_is_refused_and_does_not_come(memory: Any, tmp_path: Path) -> None:
    send(tmp_path / "home", FILES)
    memory.pipe_file("/bucket/tiles/classes.txt", b"none")
    with pytest.raises(DatasetError, match=r"classes.txt is damaged: its checksum differs from the index"):
        local_data(ADDRESS, Silent(), cache=tmp_path / "cache")
    (place,) = (tmp_path / "cache").iterdir()
    assert not (place / "tiles" / "classes.txt").exists()
    assert not list(place.rglob("*.part"))
    # The rest stays, and need not come again.
    assert len(json.loads((place / STATE).read_text())) >= 0
    memory.pipe_file("/bucket/tiles/classes.txt", b"mine")
    assert contents(local_data(ADDRESS, Silent(), cache=tmp_path / "cache")) == FILES


def test_files_that_the_index_names_and_are_not_there_are_named(memory: Any, tmp_path: Path) -> None:
    send(tmp_path / "home", FILES)
    memory.rm_file("/bucket/tiles/labels/a.txt")
    with pytest.raises(DatasetError, match=r"lacks 1 files of its index, such as labels/a.txt"):
        local_data(ADDRESS, Silent(), cache=tmp_path / "cache")


def test_nothing_there_and_no_such_kind_of_address(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="memory://bucket/none holds no files; give the address"):
        local_data("memory://bucket/none", Silent(), cache=tmp_path)
    with pytest.raises(
        DatasetError, match=r"cannot read nowhere://x: .*give s3://, gs://, az:// or a folder"
    ):
        local_data("nowhere://x", Silent(), cache=tmp_path)


def test_a_file_that_would_leave_the_folder_is_refused(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/bucket/tiles/a/../../x", b"x")
    infos = {"/bucket/tiles/../x": {"name": "/bucket/tiles/../x", "size": 1}}

    class Store:
        def find(self, root: str, detail: bool) -> dict[str, Any]:
            return infos

    with pytest.raises(DatasetError, match="would leave the folder"):
        remote._listed(Store(), "/bucket/tiles", ADDRESS)


def test_an_index_cannot_name_a_file_outside(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/bucket/tiles/mirror.json", json.dumps({"files": {"../x": ["0"]}}).encode())
    with pytest.raises(DatasetError, match="lacks 1 files"):
        local_data(ADDRESS, Silent(), cache=tmp_path)


def test_a_store_that_fails_says_so_in_one_line(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(tmp_path / "home", FILES)

    def refused(self: Any, *args: Any, **named: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "get_file", refused)
    with pytest.raises(
        DatasetError, match=r"cannot read memory://bucket/tiles/.*Access Denied; check the address"
    ):
        local_data(ADDRESS, Silent(), cache=tmp_path / "cache")
    monkeypatch.setattr(type(memory), "find", refused)
    with pytest.raises(DatasetError, match="cannot read memory://bucket/tiles: PermissionError"):
        local_data(ADDRESS, Silent(), cache=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_says_so(memory: Any, tmp_path: Path) -> None:
    send(tmp_path / "home", FILES)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        local_data(ADDRESS, Silent(), cache=tmp_path / "cache")


def test_several_at_once_bring_it_once(memory: Any, tmp_path: Path) -> None:
    send(tmp_path / "home", {f"images/{i}.png": "x" * i for i in range(40)})
    told = [Counting() for _ in range(4)]
    threads = [
        threading.Thread(target=local_data, args=(ADDRESS, one), kwargs={"cache": tmp_path / "cache"})
        for one in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(one.notes) for one in told) == 40
    assert len(list((tmp_path / "cache").rglob("*.png"))) == 40


def test_the_stores_own_md5_is_checked(tmp_path: Path) -> None:
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.md5(b"pixels", usedforsecurity=False).digest()).decode()
    far = remote._by_store({"name": "b/a", "size": 6, "md5Hash": digest})
    (tmp_path / "a").write_bytes(b"pixels")
    remote._check(tmp_path / "a", far, "gs://b/a")
    (tmp_path / "a").write_bytes(b"pixelz")
    with pytest.raises(DatasetError, match="gs://b/a is damaged"):
        remote._check(tmp_path / "a", far, "gs://b/a")
    (tmp_path / "a").write_bytes(b"pix")
    with pytest.raises(DatasetError, match="came with 3 of 6 bytes"):
        remote._check(tmp_path / "a", far, "gs://b/a")
