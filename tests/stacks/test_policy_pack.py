"""The rules' own environment: made once, never left half, and no way around it by a setting."""

import subprocess
from pathlib import Path

import pytest

from infra.errors import EngineError
from stacks.policy_pack import DONE, PACK, pack_words


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / PACK).mkdir(parents=True)
    (tmp_path / PACK / "requirements.txt").write_text("some-sdk==1.0\n")
    return tmp_path


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self, made: Path, wanted: Path) -> None:
        self.made += 1
        made.mkdir(exist_ok=True)


def test_it_is_made_once_and_again_when_its_list_changes(project: Path) -> None:
    maker = Maker()
    for _ in range(2):
        assert pack_words(project, "aws", maker) == ["--policy-pack", PACK]
    assert maker.made == 1
    (project / PACK / "requirements.txt").write_text("some-sdk==2.0\n")
    pack_words(project, "aws", maker)
    assert maker.made == 2


def test_one_that_was_left_half_is_made_again(project: Path) -> None:
    maker = Maker()
    (project / PACK / ".venv").mkdir()
    pack_words(project, "aws", maker)
    assert maker.made == 1
    assert (project / PACK / ".venv" / DONE).is_file()


def test_a_target_without_rules_needs_none(project: Path) -> None:
    assert pack_words(project, "local", Maker()) == []
    assert pack_words(project, "azure", Maker()) == ["--policy-pack", PACK]


def test_where_it_cannot_be_made_one_line_says_why_and_what_to_do(project: Path) -> None:
    def fails(made: Path, wanted: Path) -> None:
        raise subprocess.CalledProcessError(1, "pip", stderr="looking\nERROR: No matching distribution\n")

    with pytest.raises(
        EngineError, match=r"some-sdk in stacks/policy/.venv.*\(ERROR: No matching.*let pip or uv"
    ) as told:
        pack_words(project, "aws", fails)
    assert "\n" not in str(told.value)
    assert not (project / PACK / ".venv" / DONE).exists()


def test_uv_or_venv_and_pip_are_what_makes_it(project: Path) -> None:
    """With nothing to install, and so without a registry."""
    (project / PACK / "requirements.txt").write_text("# nothing\n")
    pack_words(project, "aws")
    assert (project / PACK / ".venv/bin/python").exists()
    assert (project / PACK / ".venv" / DONE).is_file()
