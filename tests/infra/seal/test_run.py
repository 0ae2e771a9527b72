"""A sealed run at home: open for whom any new folder of its user is."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from infra.seal.folder import Index, SealedFile, stored, write_index
from infra.seal.key import SealKey, seal_key
from infra.seal.run import unseal_run


@pytest.fixture
def key(tmp_path: Path) -> SealKey:
    return seal_key(tmp_path / "keys", "st")


@pytest.fixture
def sealed(key: SealKey, tmp_path: Path) -> Path:
    """A run of two files, complete by its manifest."""
    record = "{}"
    told = {"complete": True, "files": {"run.json": hashlib.sha256(record.encode()).hexdigest()}}
    files = {}
    for name, text in {"run.json": record, "manifest.json": json.dumps(told)}.items():
        (tmp_path / name).write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        files[name] = SealedFile(sha256=digest, bytes=len(text), sealed=key.name_of(name, digest))
        key.seal_file(tmp_path / name, stored(tmp_path / "sealed", files[name].sealed))
    write_index(tmp_path / "sealed", Index(owner="me", files=files), key)
    return tmp_path / "sealed"


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o700), (0o022, 0o755), (0o002, 0o775)])
def test_its_folder_is_for_whom_any_new_one_is(
    sealed: Path, key: SealKey, tmp_path: Path, mask: int, mode: int
) -> None:
    (tmp_path / "homes").mkdir()
    before = os.umask(mask)
    try:
        assert unseal_run(sealed, tmp_path / "homes" / "run", key).complete
    finally:
        os.umask(before)
    assert (tmp_path / "homes" / "run").stat().st_mode & 0o777 == mode
    assert [path.name for path in (tmp_path / "homes").iterdir()] == ["run"]
