"""Where false alarms are looked for."""

from pathlib import Path

import pytest

from app.errors import SonarFileError
from app.telemetry.progress import Silent
from app.verbs import false_alarms
from app.verbs.false_alarms import Look
from tests.app.survey.runtimes import BlobRuntime


def test_a_mistyped_name_is_told_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def minutes(*_: object, **__: object) -> None:
        pytest.fail("simulated first")

    monkeypatch.setattr(false_alarms, "simulated_ground", minutes)
    look = Look(wanted_per_km2=1.0, recordings=(tmp_path / "nowhere.xtf",))
    with pytest.raises(SonarFileError, match=r"nowhere.xtf is not a file"):
        look.grounds(BlobRuntime(), on_cpu=True, progress=Silent())
