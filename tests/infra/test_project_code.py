"""What of the project's folder leaves this machine."""

import shutil
from pathlib import Path

import pytest

from infra.hosts.local import LocalHost
from infra.hosts.tree import local_names
from infra.hosts.upload import upload
from infra.project_code import CODE, CODE_EXCLUDES, code_digest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of this one, as somebody works in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in CODE:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name)
        else:
            shutil.copyfile(REPOSITORY / name, folder / name)
    return folder


def test_keys_surveys_and_results_beside_the_code_stay_here(project, tmp_path) -> None:
    before = code_digest(project)
    for name in (".env", "surveys/wreck.xtf", "contacts/contacts.csv", "results/night/model/best.pt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("PLANTED")
    upload(LocalHost(), project, str(tmp_path / "there"), exclude=CODE_EXCLUDES, only=CODE)
    sent = local_names(tmp_path / "there")
    assert {name.split("/")[0] for name in sent} == set(CODE)
    # They are no reason to stop a job, or to rent again.
    assert code_digest(project) == before
    (project / "app" / "new.py").write_text("")
    assert code_digest(project) != before
