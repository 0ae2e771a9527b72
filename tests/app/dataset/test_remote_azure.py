"""A data set in Azure's blobs comes once, whole and checked, as the other stores' do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.dataset.remote import local_data
from app.errors import DatasetError
from app.storage import write_text
from app.telemetry.progress import Silent
from tests.app.azure import put_azure_data
from tests.app.dataset.test_remote import FILES, Counting, contents
from tests.app.training.made_run import write_squares
from tests.infra.azure.azurite import Azurite

ADDRESS = "az://data/sets/tiles"


@pytest.fixture
def sent(azure: Azurite, tmp_path: Path) -> Azurite:
    for name, text in FILES.items():
        write_text(tmp_path / "home" / name, text)
    put_azure_data(azure, tmp_path / "home", "sets/tiles")
    return azure


def test_by_its_index(sent: Azurite, tmp_path: Path) -> None:
    progress = Counting()
    folder = local_data(ADDRESS, progress, cache=tmp_path / "cache")
    assert folder.name == "tiles"
    assert contents(folder) == FILES
    assert sorted(progress.notes) == sorted(FILES)
    local_data(ADDRESS, progress, cache=tmp_path / "cache")
    assert len(progress.notes) == len(FILES)
    # Another process, which remembers no list, sees what was damaged there.
    blob = sent.service().get_blob_client("data", "sets/tiles/classes.txt")
    blob.upload_blob(b"none", overwrite=True)
    with pytest.raises(DatasetError, match=r"classes.txt is damaged: its checksum differs from the index"):
        local_data(ADDRESS, Silent(), cache=tmp_path / "another")


@pytest.mark.slow
def test_a_model_is_scored_on_tiles_that_lie_there(
    azure: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python -m app evaluate --data az://..., in a home without a cache."""
    put_azure_data(azure, write_squares(tmp_path / "squares", count=8), "sets/squares")
    figures = tmp_path / "figures.json"
    words = ["evaluate", "--data", "az://data/sets/squares", "--size-px", "64", "--split", "all"]
    done = subprocess.run(
        [sys.executable, "-m", "app", *words, "--json", str(figures)],
        env={**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(figures.read_text())["images"] == 8


def test_by_the_stores_own_checksums(sent: Azurite, tmp_path: Path) -> None:
    sent.service().get_blob_client("data", "sets/tiles/mirror.json").delete_blob()
    progress = Counting()
    folder = local_data(ADDRESS, progress, cache=tmp_path / "cache")
    assert contents(folder) == FILES
    blob = sent.service().get_blob_client("data", "sets/tiles/classes.txt")
    blob.upload_blob(b"another", overwrite=True)
    local_data(ADDRESS, progress, cache=tmp_path / "cache")
    assert progress.notes[len(FILES) :] == ["classes.txt"]
    assert (folder / "classes.txt").read_text() == "another"
