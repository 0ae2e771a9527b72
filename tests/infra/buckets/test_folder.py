"""Folders in a bucket, and the program's own mirror on the other side: moto's S3 through the real boto3, and Azurite
through Azure's own SDK, by a token."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from app.mirror import INDEX as MIRROR_INDEX
from app.mirror import Mirror
from infra.aws.account import client
from infra.aws.errors import AwsError
from infra.aws.s3_store import PART_BYTES, S3Store
from infra.azure.blob_store import BlobStore
from infra.buckets.folder import INDEX, fetch_folder, read_index, remove_folder, send_folder
from infra.buckets.store import ObjectStore, open_store
from infra.errors import HostError, RunHomeError
from infra.hosts.tree import local_tree, tree_digest
from tests.infra.aws_server import BUCKET, REGION
from tests.infra.azure.azurite import Azurite, Tokens


@pytest.fixture
def s3(aws: str) -> ObjectStore:
    client("s3", REGION).create_bucket(Bucket=BUCKET)
    return open_store({"bucket": f"s3://{BUCKET}", "region": REGION})


@pytest.fixture
def az(azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setattr("infra.azure.account.credential", Tokens)
    monkeypatch.setenv("SONARSTACK_BLOB_URL", azurite_tls.address)
    return open_store({"bucket": "az://runs", "account": azurite_tls.account})


@pytest.fixture(params=["s3", "az"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    opened: ObjectStore = request.getfixturevalue(request.param)
    assert type(opened) is {"s3": S3Store, "az": BlobStore}[request.param]
    return opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in ("a.png", "images/b c.png", "images/deep/ü.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
    return folder


def test_a_folder_goes_there_and_comes_home_equal(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    receipt = send_folder(store, source, "data", owner="me", progress=lambda *both: told.append(both))
    assert (receipt.files, receipt.sha256) == (3, tree_digest(local_tree(source)))
    assert told[-1] == (receipt.bytes, receipt.bytes)
    assert fetch_folder(store, "data", tmp_path / "home") == []
    assert local_tree(tmp_path / "home") == local_tree(source)


def test_an_index_among_the_files_is_refused(store: ObjectStore, source: Path) -> None:
    """As in data that came out of a bucket file by file: under its name the bucket's own would lie."""
    (source / INDEX).write_text("{}")
    with pytest.raises(HostError, match=f"holds {INDEX}, the index of a copy in a bucket.*; remove it"):
        send_folder(store, source, "data", owner="me")
    assert list(store.keys("data/")) == []


def test_a_name_that_no_bucket_takes_is_told_before_anything_is_sent(
    store: ObjectStore, source: Path
) -> None:
    try:
        (source / os.fsdecode(b"m\xfcnchen.png")).write_text("as systems of long ago wrote it")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(
        HostError, match=r"holds 1 files whose names are not UTF-8.*'m\\udcfcnchen.png' first; rename"
    ):
        send_folder(store, source, "data", owner="me")
    assert list(store.keys("data/")) == []


def test_only_what_changed_is_sent_again(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_folder(store, source, "data", owner="me")
    sent: list[str] = []
    real = type(store).send
    monkeypatch.setattr(
        type(store), "send", lambda self, key, path: (sent.append(key), real(self, key, path))
    )
    (source / "a.png").write_bytes(b"new")
    (source / "images" / "b c.png").unlink()
    send_folder(store, source, "data", owner="me")
    assert sent == ["data/a.png"]
    assert set(store.keys("data/")) == {"data/a.png", "data/images/deep/ü.txt", f"data/{INDEX}"}
    assert store.get("data/a.png") == b"new"


def test_a_send_that_is_cut_is_gone_on_with(
    store: ObjectStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(store).send

    def cut(self: ObjectStore, key: str, path: Path) -> None:
        if key.endswith("b c.png"):
            raise HostError("the line was cut")
        real(self, key, path)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "send", cut)
        with pytest.raises(HostError, match="cut"):
            send_folder(store, source, "data", owner="me")
    assert "images/b c.png" in fetch_folder(store, "data", tmp_path / "half")
    send_folder(store, source, "data", owner="me")
    assert fetch_folder(store, "data", tmp_path / "half") == []


def test_a_file_in_parts_arrives_whole(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.mkdir()
    (source / "survey.xtf").write_bytes(os.urandom(1 << 16) * (2 * PART_BYTES // (1 << 16) + 1))
    send_folder(store, source, "data", owner="me")
    assert fetch_folder(store, "data", tmp_path / "home") == []
    assert local_tree(tmp_path / "home") == local_tree(source)


def test_a_byte_flipped_there_is_noticed(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    send_folder(store, source, "data", owner="me")
    store.put("data/a.png", b"b.png" + b"a.png" * 99)
    assert fetch_folder(store, "data", tmp_path / "home") == ["a.png"]


def test_another_stack_s_files_are_left_alone(store: ObjectStore, source: Path) -> None:
    send_folder(store, source, "data", owner="me")
    with pytest.raises(HostError, match="holds files of 'me'"):
        send_folder(store, source, "data", owner="you")
    with pytest.raises(HostError, match="left as they are"):
        remove_folder(store, "data", owner="you")
    remove_folder(store, "data", owner="me")
    assert list(store.keys("data/")) == []
    remove_folder(store, "data", owner="me")


def test_a_name_that_leads_out_of_the_folder_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    text = json.dumps({"owner": "x", "files": {"../out": [hashlib.sha256(b"x").hexdigest()]}})
    store.put(f"data/{INDEX}", text.encode())
    with pytest.raises(RunHomeError, match="leave the folder"):
        fetch_folder(store, "data", tmp_path / "home")


def test_a_damaged_index_stops_everything(store: ObjectStore, source: Path) -> None:
    store.put(f"data/{INDEX}", b"{")
    with pytest.raises(HostError, match="damaged"):
        send_folder(store, source, "data", owner="me")


def test_the_program_s_mirror_and_this_read_each_other(
    store: ObjectStore, source: Path, tmp_path: Path
) -> None:
    """One index for both sides: a run that the program mirrored, and data that the program fetches."""
    assert INDEX == MIRROR_INDEX
    Mirror(source, str(tmp_path / "far")).push()
    for path in (tmp_path / "far").rglob("*"):
        if path.is_file():
            store.put(f"run/{path.relative_to(tmp_path / 'far').as_posix()}", path.read_bytes())
    assert fetch_folder(store, "run", tmp_path / "home") == []
    here = {name: digest for name, digest in local_tree(source).items() if not name.startswith(".mirror")}
    assert local_tree(tmp_path / "home") == here
    assert set(read_index(store, "run")) == set(here)
    send_folder(store, tmp_path / "home", "data", owner="me")
    for key in store.keys("data/"):
        target = tmp_path / "sent" / key.removeprefix("data/")
        assert store.fetch(key, target)
    assert Mirror(tmp_path / "fresh", str(tmp_path / "sent")).pull() == ()
    assert {n: d for n, d in local_tree(tmp_path / "fresh").items() if n in here} == here


def test_an_object_is_read_from_a_byte_on(store: ObjectStore, tmp_path: Path) -> None:
    store.put("log", b"0123456789")
    assert store.get("log", 7) == b"789"
    assert store.get("log", 10) == b""
    assert store.get("none") is None
    assert not store.fetch("none", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_asked_is_one_line(aws: str, source: Path) -> None:
    with pytest.raises(AwsError, match="NoSuchBucket"):
        S3Store("no-such-bucket", region=REGION).get("x")
    with pytest.raises(HostError, match="no bucket that can be opened"):
        open_store({"bucket": "ftp://x"})
    with pytest.raises(HostError, match="no folder"):
        send_folder(S3Store(BUCKET, region=REGION), source / "none", "data", owner="me")
