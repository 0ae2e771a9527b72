"""The environment test, kept under its old name: python tests/test_pipeline_modules.py --device cpu|cuda|auto.

Called so, it is `python -m app doctor` for that device; under pytest it runs every module of the pipeline on it.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest

from app.doctor.checks import State, run_checks


def test_nothing_that_is_needed_is_missing(device_request: str) -> None:
    missing = [
        f"{c.name}: {c.detail}; {c.advice}" for c in run_checks(device_request) if c.state is State.MISSING
    ]
    assert missing == []


def test_missing_device_is_found_missing() -> None:
    checks = {c.name: c for c in run_checks("xpu:9")}
    assert checks["device xpu:9"].state is State.MISSING
    assert "this machine has" in checks["device xpu:9"].detail


@pytest.mark.slow
def test_pipeline_runs_from_settings_to_report(
    tmp_path: Path, device_request: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import MineDetectionPipeline, pipeline

    monkeypatch.setattr(pipeline, "SIMULATED_TILES", 40)
    config = {"recipe": "smoke", "epochs": 1, "out": str(tmp_path)}
    result = MineDetectionPipeline(config, device=device_request).run()
    assert result.training.code == 0
    assert result.scores is not None
    assert result.survey.pings > 0
    assert result.report.html.is_file()


def main() -> None:
    """Parse the device and hand over to the doctor."""
    import typer

    from app.verbs.doctor import doctor

    typer.run(doctor)


if __name__ == "__main__":
    main()
