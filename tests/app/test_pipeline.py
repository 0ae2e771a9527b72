"""The oldest public name: what it takes as settings and which device it chooses."""

from pathlib import Path

import pytest

from app import MineDetectionPipeline
from app.config.settings import Settings
from app.errors import DeviceError, EndedEarlyError, SettingsError
from app.exit_codes import ExitCode
from app.training.run import TrainResult
from app.training.run_folder import RunFolder


def test_cpu_unless_asked_otherwise() -> None:
    assert MineDetectionPipeline({"seed": 3}).devices.device.type == "cpu"
    assert MineDetectionPipeline({"device": "auto"}).settings.device == "auto"
    assert MineDetectionPipeline({}, device="auto").settings.device == "auto"


def test_settings_from_a_name_a_file_a_dictionary_and_an_object(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 8\n")
    assert MineDetectionPipeline("ci").settings.recipe == "smoke"
    assert MineDetectionPipeline(file).settings.seed == 8
    assert MineDetectionPipeline({"cloud.max_hours": 2}).settings.cloud.max_hours == 2
    assert MineDetectionPipeline(Settings(seed=5)).settings.seed == 5
    assert MineDetectionPipeline().settings.device == "cpu"


def test_wrong_settings_are_told() -> None:
    with pytest.raises(SettingsError, match=r"colour .*is unknown"):
        MineDetectionPipeline({"colour": "red"})
    with pytest.raises(SettingsError, match="config is a int"):
        MineDetectionPipeline(7)  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match=r"xpu:5 is not here; .* or auto$"):
        MineDetectionPipeline({}, device="xpu:5")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (ExitCode.INTERRUPTED, "run the same again to go on"),
        (ExitCode.BUDGET, "again with a higher limit to go on"),
        (ExitCode.DONE, "run the same again"),  # but without a model
    ],
)
def test_a_training_that_ended_early_says_how_to_go_on(
    code: ExitCode, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = TrainResult(
        code=code, reason="because", run="run", model=None, epochs=0, images_per_s=0.0, scores=None
    )
    monkeypatch.setattr(MineDetectionPipeline, "train", lambda _self, _run: result)
    with pytest.raises(EndedEarlyError, match=told) as ended:
        MineDetectionPipeline({}).run()
    assert ended.value.exit_code == (code or ExitCode.FAILED)


def test_a_run_that_is_complete_names_the_option_of_main_py(tmp_path: Path) -> None:
    """It has no --run and no --start-from."""
    run = RunFolder(tmp_path / "run")
    run.write_record({"version": 1})
    run.write_manifest(complete=True)
    training = MineDetectionPipeline({"data": str(tmp_path)}).train(run.path)
    assert training.reason == "this run is complete already; another --out trains again"
