"""Tables of checksums."""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from infra.errors import HostError
from infra.hosts import tree
from infra.hosts.far_tree import PARTIAL
from infra.hosts.local import LocalHost
from infra.hosts.tree import STAMP, local_names, local_tree, remote_tree, tree_digest
from tests.infra.hosts.proxy import flip_byte


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "folder"
    (made / "a" / "b").mkdir(parents=True)
    (made / "a" / "b" / "deep").write_text("deep")
    (made / "top").write_text("top")
    return made


def test_both_sides_agree(folder) -> None:
    wanted = {"a/b/deep": sha("deep"), "top": sha("top")}
    assert local_tree(folder) == remote_tree(LocalHost(), str(folder)) == wanted
    assert remote_tree(LocalHost(), str(folder / "none")) is None


@pytest.mark.parametrize("pattern", ["b", "d*", "[!at]*", "?", "*", ".*", "TOP"])
def test_both_sides_take_patterns_alike(folder, pattern) -> None:
    (folder / ".hidden").write_text("x")
    assert local_tree(folder, [pattern]) == remote_tree(LocalHost(), str(folder), [pattern])


def test_our_marks_and_what_was_cut_are_no_content(folder) -> None:
    (folder / STAMP).touch()
    (folder / "a" / PARTIAL).mkdir()
    (folder / "a" / PARTIAL / "half").write_text("ha")
    assert local_names(folder) == ["a/b/deep", "top"]
    assert sorted(remote_tree(LocalHost(), str(folder)) or {}) == ["a/b/deep", "top"]
    assert (folder / "a" / PARTIAL).exists()
    remote_tree(LocalHost(), str(folder), clean=True)
    assert not (folder / "a" / PARTIAL).exists()


def test_pipes_and_sockets_are_no_content(folder) -> None:
    os.mkfifo(folder / "pipe")
    assert local_names(folder) == ["a/b/deep", "top"]


def test_a_folder_reached_twice_is_no_loop(folder) -> None:
    (folder / "again").symlink_to("a")
    assert local_tree(folder) == remote_tree(LocalHost(), str(folder))
    assert "again/b/deep" in local_tree(folder)


def test_a_loop_over_two_links(folder) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "to-a").symlink_to("../a")
    (folder / "a" / "to-x").symlink_to("../x")
    with pytest.raises(HostError, match="is a link back into itself; remove or exclude it"):
        local_tree(folder)


def test_what_cannot_be_read_is_one_line(folder) -> None:
    with pytest.raises(HostError, match=r"/none cannot be read \(No such file or directory\)"):
        local_tree(folder / "none")


def only(folder: Path, *programs: str) -> str:
    """A search path with these alone."""
    folder.mkdir()
    for name in programs:
        # A python3 may be a wrapper that needs a shell of its own.
        found = str(Path(sys.executable).resolve()) if name == "python3" else shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def test_no_program_for_checksums_there(folder, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "sh", "find", "rm"))
    with pytest.raises(HostError, match="on local cannot be checked; install sha256sum there"):
        remote_tree(LocalHost(), str(folder))


@pytest.mark.parametrize("programs", [("python3",), ("sha256sum",), ("shasum", "perl")])
def test_every_program_tells_every_name_alike(folder, monkeypatch, tmp_path, programs) -> None:
    if any(shutil.which(name) is None for name in programs):
        pytest.skip(f"{' and '.join(programs)} not installed")
    for name in (
        "line\nbreak",
        "back\\slash",
        "back\\nslash",
        "cr\rhere",
        " lead",
        "\u2028sep",
        "-rf",
        "two  spaces",
    ):
        (folder / name).write_text(name)
    os.close(os.open(os.fsencode(folder) + b"/not-utf8-\xff", os.O_CREAT | os.O_WRONLY))
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "sh", "find", "rm", *programs))
    assert remote_tree(LocalHost(), str(folder)) == local_tree(folder)
    (tmp_path / "empty").mkdir()
    assert remote_tree(LocalHost(), str(tmp_path / "empty")) == {}


@pytest.mark.parametrize("program", ["python3", "sha256sum"])
def test_what_cannot_all_be_read_there_is_an_error_and_no_shorter_table(
    folder, monkeypatch, tmp_path, program
) -> None:
    (folder / "round").symlink_to(".")
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "sh", "find", "rm", program))
    with pytest.raises(HostError, match=r"cannot be checked: .*[fF]ile system loop") as told:
        remote_tree(LocalHost(), str(folder))
    assert "\n" not in str(told.value)


def test_a_known_file_is_not_read_again_and_a_changed_one_is(folder, monkeypatch) -> None:
    monkeypatch.setattr(tree, "SETTLED_S", 0.0)
    time.sleep(0.02)  # a file system's clock has steps
    first = local_tree(folder)
    read = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda s, kind: (read.append(s.name), real(s, kind))[1])
    assert local_tree(folder) == first
    assert read == []
    time.sleep(0.02)
    flip_byte(folder / "top", 0)  # size and mtime as before
    assert local_tree(folder)["top"] != first["top"]
    assert [Path(name).name for name in read] == ["top"]


def test_a_file_that_is_still_fresh_is_read_again(folder, monkeypatch) -> None:
    monkeypatch.setattr(tree, "SETTLED_S", 3600.0)
    local_tree(folder)
    assert not any(str(folder) in name for name in tree._known)


def test_the_digest_of_a_table_changes_with_names_and_contents() -> None:
    assert tree_digest({"a": "1", "b": "2"}) == tree_digest({"b": "2", "a": "1"})
    assert len({tree_digest(t) for t in ({}, {"a": "1"}, {"b": "1"}, {"a": "2"})}) == 4
