"""A stack's key: made once, for its user's eyes only."""

import os
import threading
from pathlib import Path

import pytest

from infra.errors import SealError
from infra.seal.key import SealKey, load_seal_key, seal_key


def test_made_once_and_the_same_afterwards(tmp_path: Path) -> None:
    one, two = seal_key(tmp_path / "keys", "st"), seal_key(tmp_path / "keys", "st")
    assert one.recipient == two.recipient
    assert one.fingerprint == two.fingerprint != seal_key(tmp_path / "keys", "other").fingerprint
    path = tmp_path / "keys" / "st.age"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(os.listdir(path.parent)) == ["other.age", "st.age"]  # noqa: PTH208 also what is hidden


def test_two_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    keys: list[SealKey] = []
    asking = [threading.Thread(target=lambda: keys.append(seal_key(tmp_path, "st"))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len({key.recipient for key in keys}) == 1


def test_file_is_as_age_keygen_writes_it(tmp_path: Path) -> None:
    key = seal_key(tmp_path, "st")
    comment, identity = (tmp_path / "st.age").read_text().splitlines()
    assert comment == f"# public key: {key.recipient}"
    assert key.secret_variables() == {"SONARSTACK_SEAL_KEY": identity}
    assert identity not in repr(key)


def test_missing_key_is_never_made_by_who_only_opens(tmp_path: Path) -> None:
    with pytest.raises(SealError, match=r"st.age is missing; sealed data and runs can only be opened where"):
        load_seal_key(tmp_path / "st.age")
    assert not (tmp_path / "st.age").exists()


@pytest.mark.parametrize("text", ["", "nonsense\n", "AGE-SECRET-KEY-1PLANTED\n"])
def test_damaged_key_is_told_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "st.age").write_text(text)
    with pytest.raises(SealError, match="holds no age identity") as told:
        seal_key(tmp_path, "st")
    assert "PLANTED" not in str(told.value)
    assert (tmp_path / "st.age").read_text() == text


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(SealError, match=r"the key .*st.age cannot be written"):
        seal_key(tmp_path / "keys", "st")
