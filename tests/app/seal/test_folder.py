"""What is sealed opens with its key as it was, and any damage is one clear line."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import SealError
from app.seal.folder import MARK, SealedFile, read_index, read_mark, stored, unseal
from app.seal.key import SealKey
from app.seal.unseal import sealed_data_mark, unseal_data
from tests.app.seal.made_sealed import flip_a_bit, new_key, seal_folder

SIZES = {"images/PLANTED-NAME.png": 150_000, "labels/a.txt": 40, "empty": 0}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, size in SIZES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((b"PLANTED-BYTES " * (size // 14 + 1))[:size])
    return tmp_path / "data"


@pytest.fixture
def key() -> SealKey:
    return new_key()


@pytest.fixture
def sealed(source: Path, key: SealKey, tmp_path: Path) -> Path:
    seal_folder(source, tmp_path / "sealed", key)
    return tmp_path / "sealed"


def test_opens_as_it_was(source: Path, sealed: Path, key: SealKey, tmp_path: Path) -> None:
    mark = sealed_data_mark(sealed)
    assert (mark.files, mark.bytes) == (len(SIZES), sum(SIZES.values()))
    names = unseal_data(sealed, mark, key, tmp_path / "open")
    assert sorted(names) == sorted(SIZES)
    for name in SIZES:
        assert (tmp_path / "open" / name).read_bytes() == (source / name).read_bytes()


def test_neither_bytes_nor_names_nor_key_can_be_read(sealed: Path, key: SealKey) -> None:
    for path in [p for p in sealed.rglob("*") if p.is_file()]:
        for planted in (b"PLANTED", b"labels", b"AGE-SECRET"):
            assert planted not in path.read_bytes()
        assert "PLANTED" not in path.name
    assert "AGE-SECRET" not in repr(key) + str(vars(key).values())


def test_another_key_is_told(sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SealError, match="sealed for another key than the one given; use the key of the stack"
    ):
        unseal_data(sealed, sealed_data_mark(sealed), new_key(), tmp_path / "open")
    assert not (tmp_path / "open").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), file=st.integers(0, len(SIZES)), cut=st.booleans())
def test_any_damage_is_noticed_and_nothing_half_written(
    sealed: Path, key: SealKey, tmp_path: Path, where: float, file: int, cut: bool
) -> None:
    path = sorted((sealed / "sealed").iterdir())[file]
    whole = path.read_bytes()
    try:
        if cut:
            path.write_bytes(whole[: int(len(whole) * where)])
        else:
            flip_a_bit(path, int(len(whole) * where))
        with pytest.raises(
            SealError, match=r"cannot be unsealed: it is cut short, changed|is missing|not the"
        ) as told:
            unseal_data(sealed, sealed_data_mark(sealed), key, tmp_path / "open")
        assert "\n" not in str(told.value)
        for opened in [p for p in (tmp_path / "open").rglob("*") if p.is_file()]:
            assert opened.stat().st_size == SIZES[opened.relative_to(tmp_path / "open").as_posix()]
    finally:
        path.write_bytes(whole)


def test_two_sealed_files_that_changed_places_are_noticed(sealed: Path, key: SealKey, tmp_path: Path) -> None:
    mark = read_mark(sealed)
    assert mark is not None
    index = read_index(sealed, mark, key)
    one, two = (stored(sealed, index.files[name].sealed) for name in ("labels/a.txt", "empty"))
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    with pytest.raises(SealError, match="is not the file that the sealed index names"):
        unseal_data(sealed, mark, key, tmp_path / "open")


def test_index_of_somebody_who_knows_only_the_public_half_is_refused(
    sealed: Path, key: SealKey, tmp_path: Path
) -> None:
    mark = read_mark(sealed)
    assert mark is not None
    stored(sealed, mark.index).write_bytes(key.seal_bytes(b'{"owner": "data", "files": {}}'))
    with pytest.raises(SealError, match="is not the index that the key's owner wrote"):
        unseal_data(sealed, mark, key, tmp_path / "open")


def test_missing_file_is_named(sealed: Path, key: SealKey, tmp_path: Path) -> None:
    gone = SealedFile(sha256="0", bytes=1, sealed="gone")
    with pytest.raises(SealError, match=r"gone.age \(x\) is missing"):
        unseal(sealed, "x", gone, key, tmp_path / "open")


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is damaged"), ("{}", "is damaged"), ('{"version": 2}', "has version 2, this program reads 1")],
)
def test_damaged_mark_is_told(sealed: Path, text: str, why: str) -> None:
    (sealed / MARK).write_text(text)
    with pytest.raises(SealError, match=why):
        sealed_data_mark(sealed)


def test_folder_that_is_not_sealed_is_refused(source: Path) -> None:
    with pytest.raises(SealError, match="is not sealed, but the run is: seal the data"):
        sealed_data_mark(source)


def test_index_cannot_lead_out_of_the_folder(sealed: Path, key: SealKey) -> None:
    mark = read_mark(sealed)
    assert mark is not None
    text = json.dumps({"owner": "x", "files": {"../../out": {"sha256": "", "bytes": 0, "sealed": "a"}}})
    name = key.name_of("index", text)
    stored(sealed, name).write_bytes(key.seal_bytes(text.encode()))
    marked = json.loads((sealed / MARK).read_text()) | {"index": name}
    (sealed / MARK).write_text(json.dumps(marked))
    with pytest.raises(SealError, match="would leave the folder"):
        read_index(sealed, sealed_data_mark(sealed), key)


@pytest.mark.parametrize("text", ["", "secret", "AGE-SECRET-KEY-1NONSENSE", "age1xyz"])
def test_key_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SealError, match="SONARSTACK_SEAL_KEY is no age identity") as told:
        SealKey(text)
    assert not text or text not in str(told.value).replace("AGE-SECRET-KEY-1...", "")
