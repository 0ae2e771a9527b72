"""A mirror holds what the folder holds, whatever cut it short."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from app.errors import OutputError
from app.mirror import INDEX, OWNER, Mirror
from app.storage import write_text


@pytest.fixture(params=["folder", "memory", "azure"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "far")
        return
    if request.param == "azure":
        request.getfixturevalue("azure")
        yield "az://runs/st/one"
        return
    yield "memory://far/run"
    memory = fsspec.filesystem("memory")
    if memory.exists("/far"):
        memory.rm("/far", recursive=True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    write_text(folder / "run.json", "{}")
    write_text(folder / "checkpoints" / "step-1.pt", "one")
    return folder


def far_file(address: str, name: str) -> bytes:
    far, root = fsspec.core.url_to_fs(address)
    data: bytes = far.cat_file(f"{root}/{name}")
    return data


def damage(address: str, name: str) -> None:
    far, root = fsspec.core.url_to_fs(address)
    far.pipe_file(f"{root}/{name}", b"something else")


def test_what_was_pushed_comes_home(run: Path, address: str, tmp_path: Path) -> None:
    assert Mirror(run, address).push() == 2
    home = tmp_path / "home"
    mirror = Mirror(home, address)
    assert sorted(mirror.names()) == ["checkpoints/step-1.pt", "run.json"]
    assert mirror.pull() == ()
    assert (home / "checkpoints" / "step-1.pt").read_text() == "one"
    assert mirror.push() == 0


def test_only_what_changed_is_copied(run: Path, address: str) -> None:
    mirror = Mirror(run, address)
    mirror.push()
    write_text(run / "run.json", '{"a": 1}')
    write_text(run / "checkpoints" / "step-2.pt", "two")
    assert mirror.push() == 2
    assert mirror.push() == 0
    assert Mirror(run, address).push() == 0
    assert far_file(address, "run.json") == b'{"a": 1}'


def test_what_is_gone_here_goes_there_and_strangers_stay(run: Path, address: str) -> None:
    mirror = Mirror(run, address)
    mirror.push()
    far, root = fsspec.core.url_to_fs(address)
    far.pipe_file(f"{root}/notes.txt", b"the user's own")
    (run / "checkpoints" / "step-1.pt").unlink()
    mirror.push()
    assert not far.exists(f"{root}/checkpoints/step-1.pt")
    assert far_file(address, "notes.txt") == b"the user's own"
    assert mirror.names() == ("run.json",)


def test_unfinished_files_stay_here(run: Path, address: str) -> None:
    (run / "checkpoints" / ".step-2.pt.x.part").write_text("half")
    Mirror(run, address).push()
    assert all(not name.endswith(".part") for name in Mirror(run, address).names())


@pytest.mark.parametrize("puts_before_the_cut", [0, 1, 2])
def test_push_cut_short_leaves_every_file_whole_and_known(
    run: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, puts_before_the_cut: int
) -> None:
    Mirror(run, address).push()
    write_text(run / "run.json", "new")
    write_text(run / "checkpoints" / "step-2.pt", "two")
    mirror, done = Mirror(run, address), 0
    put = mirror._put

    def cut(name: str) -> None:
        nonlocal done
        if done == puts_before_the_cut:
            raise ConnectionError("cable cut")
        done += 1
        put(name)

    def cut_last(owner: str, files: dict[str, Any]) -> None:
        if done == 2:
            raise ConnectionError("cable cut")
        write_index(owner, files)

    write_index = mirror._write_index
    monkeypatch.setattr(mirror, "_put", cut)
    monkeypatch.setattr(mirror, "_write_index", cut_last)
    with pytest.raises(OutputError, match="ConnectionError cable cut; check the address"):
        mirror.push()

    home = Mirror(tmp_path / "home", address)
    problems = home.pull()
    assert (tmp_path / "home" / "checkpoints" / "step-1.pt").read_text() == "one"
    assert (tmp_path / "home" / "run.json").read_text() in ("{}", "new")
    assert all("step-2.pt is missing" in line for line in problems)
    again = Mirror(run, address)
    again.push()
    assert far_file(address, "run.json") == b"new"
    assert Mirror(tmp_path / "home2", address).pull() == ()


def test_damaged_and_missing_files_are_named_and_the_others_come(
    run: Path, address: str, tmp_path: Path
) -> None:
    write_text(run / "b.txt", "b")
    Mirror(run, address).push()
    damage(address, "run.json")
    far, root = fsspec.core.url_to_fs(address)
    far.rm_file(f"{root}/b.txt")
    problems = Mirror(tmp_path / "home", address).pull()
    assert len(problems) == 2
    assert any(line.endswith("run.json is damaged: its checksum differs") for line in problems)
    assert any(line.endswith("b.txt is missing") for line in problems)
    assert not (tmp_path / "home" / "run.json").exists()
    assert (tmp_path / "home" / "checkpoints" / "step-1.pt").read_text() == "one"


def test_another_run_does_not_overwrite_the_mirror(run: Path, address: str, tmp_path: Path) -> None:
    Mirror(run, address).push()
    other = tmp_path / "other"
    write_text(other / "run.json", "other")
    with pytest.raises(OutputError, match="it holds another run; resume that one, or give another address"):
        Mirror(other, address).push()
    assert far_file(address, "run.json") == b"{}"


def test_index_cannot_lead_out_of_the_folder(run: Path, address: str, tmp_path: Path) -> None:
    Mirror(run, address).push()
    far, root = fsspec.core.url_to_fs(address)
    index = json.loads(far_file(address, INDEX))
    index["files"]["../escaped.txt"] = ["0" * 64]
    far.pipe_file(f"{root}/{INDEX}", json.dumps(index).encode())
    problems = Mirror(tmp_path / "home", address).pull()
    assert any("would leave the folder" in line for line in problems)
    assert not (tmp_path / "escaped.txt").exists()


def test_owner_stays_out_of_the_mirror(run: Path, address: str) -> None:
    Mirror(run, address).push()
    assert (run / OWNER).is_file()
    assert OWNER not in Mirror(run, address).names()


def test_address_of_no_known_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"cannot mirror to gopher://x: .*give s3://, gs://, az:// or a folder"
    ):
        Mirror(tmp_path, "gopher://x")


def test_missing_package_of_a_cloud_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_address: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(OutputError, match=r"Install s3fs to access S3; pip install 'sonarstack\[cloud\]'"):
        Mirror(tmp_path, "s3://bucket/run")


def test_address_that_cannot_be_written_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot mirror to .*check the address and the rights"):
        Mirror(run, str(tmp_path / "file" / "far")).push()


@pytest.mark.parametrize("inside", [".", "copies/one", "../run"])
def test_address_in_the_folder_itself_is_refused(run: Path, inside: str) -> None:
    with pytest.raises(OutputError, match="into itself; give a place outside"):
        Mirror(run, str(run / inside))
    Mirror(run, f"{run}-copy").push()
