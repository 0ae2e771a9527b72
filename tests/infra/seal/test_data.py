"""Data is sealed once, and never names itself."""

import errno
import os
import resource
import shutil
from pathlib import Path

import pytest

from infra.errors import SealError
from infra.hosts.tree import local_tree
from infra.seal.data import seal_data
from infra.seal.folder import read_index, read_mark, stored
from infra.seal.key import SealKey, seal_key


@pytest.fixture
def key(tmp_path: Path) -> SealKey:
    return seal_key(tmp_path / "keys", "st")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "PLANTED-data"
    (folder / "images").mkdir(parents=True)
    for index in range(4):
        (folder / "images" / f"PLANTED-{index}.png").write_bytes(b"PLANTED" * 100 + bytes([index]))
    return folder


def test_neither_contents_nor_names_are_seen(source: Path, key: SealKey, tmp_path: Path) -> None:
    mark = seal_data(source, tmp_path / "sealed", key)
    assert (mark.files, mark.bytes) == (4, 4 * 701)
    files = [p for p in (tmp_path / "sealed").rglob("*") if p.is_file()]
    assert len(files) == 6
    for path in files:
        assert b"PLANTED" not in path.read_bytes() + path.name.encode()


def test_nothing_changes_where_nothing_changed(source: Path, key: SealKey, tmp_path: Path) -> None:
    mark = seal_data(source, tmp_path / "sealed", key)
    before = local_tree(tmp_path / "sealed")
    assert seal_data(source, tmp_path / "sealed", key) == mark
    assert local_tree(tmp_path / "sealed") == before


def test_only_what_changed_is_sealed_anew(source: Path, key: SealKey, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    seal_data(source, sealed, key)
    before = local_tree(sealed)
    (source / "images" / "PLANTED-0.png").write_bytes(b"other")
    (source / "images" / "PLANTED-1.png").unlink()
    shutil.copy(source / "images" / "PLANTED-2.png", source / "images" / "PLANTED-9.png")
    mark = seal_data(source, sealed, key)
    after = local_tree(sealed)
    # Three of four are gone or new with the index: 2 and 3 stay.
    assert len(set(before.items()) & set(after.items())) == 2
    assert len(after) == mark.files + 2
    assert len(read_index(sealed, mark, key).files) == 4


def test_cut_short_and_run_again(
    source: Path, key: SealKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed, calls = tmp_path / "sealed", iter([False, False, True])
    with pytest.raises(SealError, match="cancelled; run it again, what is sealed is kept"):
        seal_data(source, sealed, key, cancelled=lambda: next(calls))
    kept = local_tree(sealed)
    assert len(kept) == 2
    assert read_mark(sealed) is None
    (sealed / "sealed" / ".torn.part").write_bytes(b"half")
    seal_data(source, sealed, key)
    assert kept.items() <= local_tree(sealed).items()
    assert not list(sealed.rglob("*.part"))


def test_first_mark_that_was_cut_short_is_no_other_things(
    source: Path, key: SealKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        with pytest.raises(SealError, match="No space left"):
            seal_data(source, tmp_path / "sealed", key)
    assert read_mark(tmp_path / "sealed") is None
    mark = seal_data(source, tmp_path / "sealed", key)
    assert read_mark(tmp_path / "sealed") == mark


def test_another_key_seals_all_anew(source: Path, key: SealKey, tmp_path: Path) -> None:
    sealed, other = tmp_path / "sealed", seal_key(tmp_path / "keys", "other")
    seal_data(source, sealed, key)
    before = local_tree(sealed)
    mark = seal_data(source, sealed, other)
    assert not set(before.values()) & set(local_tree(sealed).values())
    assert len(read_index(sealed, mark, other).files) == 4
    with pytest.raises(SealError, match="sealed for another key than the one given"):
        read_index(sealed, mark, key)


def test_other_peoples_folder_is_left_alone(source: Path, key: SealKey, tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed" / "thesis.tex").write_text("mine")
    with pytest.raises(SealError, match="holds other things than sealed data"):
        seal_data(source, tmp_path / "sealed", key)
    assert (tmp_path / "sealed" / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(("make", "why"), [(False, "is no folder on this machine"), (True, "is empty")])
def test_no_data_is_told(key: SealKey, tmp_path: Path, make: bool, why: str) -> None:
    if make:
        (tmp_path / "none").mkdir()
    with pytest.raises(SealError, match=why):
        seal_data(tmp_path / "none", tmp_path / "sealed", key)


def test_full_disk_is_told_and_leaves_nothing_half_written(
    source: Path, key: SealKey, tmp_path: Path
) -> None:
    (source / "images" / "PLANTED-0.png").write_bytes(bytes(300_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SealError, match=r"cannot be sealed: .*; is the disk full\?"):
            seal_data(source, tmp_path / "sealed", key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p for p in (tmp_path / "sealed").rglob("*") if p.is_file()] == []


def test_what_a_power_cut_left_empty_is_sealed_again(source: Path, key: SealKey, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    index = read_index(sealed, seal_data(source, sealed, key), key)
    name, file = next(iter(index.files.items()))
    stored(sealed, file.sealed).write_bytes(b"")
    seal_data(source, sealed, key)
    key.unseal_file(stored(sealed, file.sealed), tmp_path / "open", sha256=file.sha256)
    assert (tmp_path / "open").read_bytes() == (source / name).read_bytes()
