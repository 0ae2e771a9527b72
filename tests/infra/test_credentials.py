"""What a timer needs of the environment: one file, for its user's eyes only."""

import errno
import os
from pathlib import Path

import pytest

from infra.credentials import credentials_path, forget_credentials, keep_credentials, read_credentials
from infra.errors import SettingsError


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_kept_read_and_forgotten() -> None:
    assert read_credentials() == {}
    path = keep_credentials({"RUNPOD_API_KEY": "rpa_1", "HTTPS_PROXY": "http://u:p=w@h:1"})
    assert path == credentials_path()
    assert path.stat().st_mode & 0o777 == 0o600
    keep_credentials({"RUNPOD_API_KEY": "rpa_2", "X": "a=b"})
    assert read_credentials() == {"RUNPOD_API_KEY": "rpa_2", "X": "a=b"}
    assert forget_credentials()
    assert not forget_credentials()
    assert read_credentials() == {}


def test_a_file_that_others_can_read_is_refused() -> None:
    keep_credentials({"RUNPOD_API_KEY": "rpa_1"}).chmod(0o640)
    with pytest.raises(SettingsError, match="open to other users; chmod 600"):
        read_credentials()


def test_a_value_that_would_be_two_lines_is_refused_without_telling_it() -> None:
    with pytest.raises(SettingsError, match="RUNPOD_API_KEY holds a line break") as told:
        keep_credentials({"RUNPOD_API_KEY": "rpa_planted\nPATH=/evil"})
    assert "planted" not in str(told.value)


def test_what_a_killed_one_left_is_in_nobody_s_way() -> None:
    # In a container a killed program and the next one have the same number.
    left = credentials_path().with_name(f"credentials.{os.getpid()}.part")
    left.write_text("RUNPOD_API_KEY=rpa_0")
    keep_credentials({"RUNPOD_API_KEY": "rpa_1"})
    assert read_credentials() == {"RUNPOD_API_KEY": "rpa_1"}


def test_a_full_disk_leaves_the_old_ones_and_no_key_beside_them(monkeypatch) -> None:
    path = keep_credentials({"RUNPOD_API_KEY": "rpa_1"})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SettingsError, match="No space left"):
        keep_credentials({"RUNPOD_API_KEY": "rpa_2"})
    assert read_credentials() == {"RUNPOD_API_KEY": "rpa_1"}
    assert list(path.parent.iterdir()) == [path]
