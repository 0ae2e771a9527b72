"""az:// by the real adlfs and SDK: who asks, and what is said where nobody may."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from app.dataset.remote import local_data
from app.errors import DatasetError, OutputError
from app.far_store import open_store
from app.mirror import Mirror
from app.storage import write_text
from app.telemetry.progress import Silent
from tests.app.azure import AzureMachine
from tests.infra.azure.azurite import Azurite, token

SCOPE = "https://storage.azure.com"


def test_a_machine_with_nothing_but_its_identity_reads_and_writes(
    azure_machine: AzureMachine, tmp_path: Path
) -> None:
    write_text(tmp_path / "run" / "run.json", "{}")
    mirror = Mirror(tmp_path / "run", "az://runs/st/one")
    mirror.require_writable()
    assert mirror.push() == 1
    home = Mirror(tmp_path / "home", "az://runs/st/one")
    assert home.pull() == ()
    assert (tmp_path / "home" / "run.json").read_text() == "{}"
    assert "st/one/run.json" in azure_machine.azurite.blobs("runs")
    # Its tokens came from the metadata address, for the identity that AZURE_CLIENT_ID names.
    assert {one.rstrip("/") for one in azure_machine.metadata.tokens_for} == {SCOPE}


def test_another_identity_than_the_machines_is_said_at_once(
    azure_machine: AzureMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "99999999-0000-0000-0000-000000000000")
    logging.getLogger("azure").setLevel(logging.NOTSET)
    began = time.monotonic()
    with pytest.raises(
        OutputError, match=r"cannot mirror to az://runs/x: Azure knows no credentials here; .*AZURE_CLIENT_ID"
    ) as caught:
        Mirror(tmp_path, "az://runs/x")
    assert time.monotonic() - began < 20
    assert len(str(caught.value).splitlines()) == 1
    assert "Attempted credentials" not in capfd.readouterr().err


def test_an_identity_without_a_right_there_is_one_line(azure_machine: AzureMachine, tmp_path: Path) -> None:
    azure_machine.metadata.token = token("https://vault.azure.net")
    with pytest.raises(
        OutputError, match=r"cannot mirror to az://runs/x: .*; check the address and the rights$"
    ) as caught:
        Mirror(tmp_path, "az://runs/x").require_writable()
    assert len(str(caught.value).splitlines()) == 1


def test_without_an_account_the_variable_is_named(nobody: None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"set AZURE_STORAGE_ACCOUNT_NAME$"):
        open_store("az://runs/x")
    with pytest.raises(DatasetError, match=r"cannot read az://data/x: .*AZURE_STORAGE_ACCOUNT_NAME"):
        local_data("az://data/x", Silent(), cache=tmp_path)


def test_a_wrong_connection_string_is_told_as_one(nobody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "nonsense")
    with pytest.raises(ValueError, match=r"[Cc]onnection string"):
        open_store("az://runs/x")


def test_a_container_that_is_not_there_and_a_wrong_key_are_one_line(
    azure: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match=r"ResourceNotFoundError The specified container does not exist"):
        Mirror(tmp_path, "az://none/x").require_writable()
    with pytest.raises(DatasetError, match=r"az://none/x holds no files; give the address"):
        local_data("az://none/x", Silent(), cache=tmp_path)
    import adlfs

    wrong = azure.connection_string.replace(azure.key, "AAAA")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    adlfs.AzureBlobFileSystem.clear_instance_cache()
    with pytest.raises(OutputError, match=r"Server failed to authenticate the request") as caught:
        Mirror(tmp_path, "az://runs/x").require_writable()
    assert len(str(caught.value).splitlines()) == 1


def test_a_mistyped_kind_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"give s3://, gs://, az:// or a folder$"):
        open_store("gopher://x")
