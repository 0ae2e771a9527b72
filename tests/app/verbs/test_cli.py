"""The command line: answers fast, keeps its names, refuses bad input in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.__main__ import cli
from app.config.settings import environments
from app.exit_codes import ExitCode
from app.sonar.simulator.survey import SurveyPlan, simulate_survey

VERBS = ("demo", "simulate", "import", "train", "evaluate", "detect", "export", "benchmark", "doctor")


def run_app(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_help_names_every_verb() -> None:
    answer = run_app("--help")
    assert answer.returncode == 0
    for verb in VERBS:
        assert verb in answer.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, app.__main__\n"
        "print([n for n in ('torch', 'numpy', 'pydantic', 'cv2', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    answer = run_app(verb, "--help")
    assert answer.returncode == 0
    assert "Usage" in answer.stdout


def test_public_names_are_importable_and_lazy() -> None:
    code = (
        "import sys, app; assert 'torch' not in sys.modules\n"
        "from app import DeviceManager, MineDetectionPipeline, MultiEnvironmentBenchmark, SidescanTargetDetector\n"
        "import app as a\n"
        "try: a.Nothing\nexcept AttributeError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "it offers DeviceManager" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("train",), "train needs tiles: give --data FOLDER", ExitCode.USAGE),
        (("train", "--data", "nowhere"), "nowhere is not a folder", ExitCode.FAILED),
        (("train", "--data", ".", "--recipe", "best"), "recipe='best'", ExitCode.USAGE),
        (("train", "--data", ".", "--device", "tpu"), "device='tpu'", ExitCode.USAGE),
        (("benchmark", "--device", "xpu:9"), "give one of them, or auto", ExitCode.FAILED),
        (("train", "--data", ".", "--resume", "maybe"), "allowed are auto and never", ExitCode.USAGE),
        (("train", "--data", ".", "--max-usd", "1"), "needs price_usd_per_h", ExitCode.USAGE),
        (("detect", "nowhere.xtf"), "nowhere.xtf is not a file", ExitCode.FAILED),
        (("detect", f"{'x' * 300}.xtf"), "name too long; check the path and the rights", ExitCode.FAILED),
        (("detect", "README.md"), "has no known format", ExitCode.FAILED),
        (("detect", "README.md", "--model", "none.pt"), "none.pt cannot be read", ExitCode.FAILED),
        (
            ("detect", "README.md", "--runtime", "tflite"),
            "allowed are quick, auto, torch, onnx",
            ExitCode.USAGE,
        ),
        (("detect", "README.md", "--device", "xpu:9"), "device xpu:9 is not here", ExitCode.FAILED),
        (("evaluate", "--data", "nowhere"), "nowhere is not a folder", ExitCode.FAILED),
        (("evaluate",), "give --data FOLDER, or --false-alarms-per-km2 N", ExitCode.USAGE),
        (
            ("evaluate", "--data", "nowhere", "--keep"),
            "--keep can do nothing without a rate",
            ExitCode.USAGE,
        ),
        (
            ("evaluate", "--data", "nowhere", "--recordings", "nowhere.xtf", "--empty-km2", "0"),
            "--recordings, --empty-km2 can do nothing without a rate of false alarms; add --false-alarms-per-km2",
            ExitCode.USAGE,
        ),
        (
            ("evaluate", "--false-alarms-per-km2", "10", "--stretches", "a.csv", "--crs", "EPSG:32619"),
            "--stretches, --crs can do nothing without recordings; add --recordings",
            ExitCode.USAGE,
        ),
        (
            ("evaluate", "--false-alarms-per-km2", "10", "--empty-km2", "0"),
            "--empty-km2 0 without recordings leaves no seabed to look at; add --recordings",
            ExitCode.USAGE,
        ),
        *(
            (
                ("evaluate", "--false-alarms-per-km2", "10", "--recordings", "nowhere.xtf", *given),
                f"{told} can do nothing without labelled tiles; add --data FOLDER, or leave that out",
                ExitCode.USAGE,
            )
            for given, told in (
                (("--split", "val"), "--split"),
                (("--threshold", "0"), "--threshold"),
                (("--size-px", "320", "--skip-bad"), "--size-px, --skip-bad"),
            )
        ),
        (
            ("evaluate", "--data", "nowhere", "--size-px", "300"),
            "--size-px 300 must be a multiple of 32; try 288 or 320",
            ExitCode.USAGE,
        ),
        (("evaluate", "--data", "nowhere", "--size-px", "0"), "try 32 or 64", ExitCode.USAGE),
        (("train", "--data", ".", "--nnodes", "2"), "needs --rendezvous HOST:PORT", ExitCode.USAGE),
        (
            ("train", "--data", ".", "--nnodes", "2", "--rendezvous", "host:abc"),
            "--rendezvous host:abc must be HOST:PORT",
            ExitCode.USAGE,
        ),
        (
            ("train", "--data", ".", "--rendezvous", "host:29400"),
            "--rendezvous host:29400 can do nothing for one process; add --nnodes N",
            ExitCode.USAGE,
        ),
        (("train", "--data", ".", "--nproc", "none"), "nproc", ExitCode.USAGE),
        (("export", "--model", "nowhere.pt"), "nowhere.pt cannot be read", ExitCode.FAILED),
        (("benchmark", "--quick", "--json-file", "tests"), "cannot write tests", ExitCode.FAILED),
        (("export", "--model", "best.onnx"), "give the run's folder, or its .pt file", ExitCode.USAGE),
        (
            ("export", "--int8", "--calibration", ".", "--size-px", "333"),
            "--size-px 333 must be a multiple of 32; try 320 or 352",
            ExitCode.USAGE,
        ),
        (("evaluate", "--data", "nowhere", "--report", "tests"), "cannot write tests", ExitCode.FAILED),
        (("evaluate", "--data", "nowhere", "--json", "tests"), "cannot write tests", ExitCode.FAILED),
        (("export", "--size-px", "640"), "--size-px 640 can do nothing without --int8", ExitCode.USAGE),
        (("export", "--int8"), "--int8 and --calibration FOLDER belong together", ExitCode.USAGE),
        (("doctor", "--environment", "moon"), "environment 'moon' does not exist", ExitCode.USAGE),
        (("simulate", "--out", "/proc/none"), "cannot write", ExitCode.FAILED),
    ],
)
def test_bad_input_is_one_line_and_a_code(
    arguments: tuple[str, ...], message: str, code: ExitCode, tmp_path: Path
) -> None:
    extra = ("--run", str(tmp_path / "run")) if arguments[0] == "train" else ()
    extra += ("--out", str(tmp_path / "out")) if arguments[0] == "detect" else ()
    answer = run_app(*arguments, *extra)
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, answer.stderr
    assert message in errors[0]
    assert "Traceback" not in answer.stderr
    assert answer.returncode == code
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("train --threads 0", "--threads"),
        ("train --workers 0", "--workers"),
        ("simulate --seed -1", "--seed"),
        ("simulate --range-m 10", "--range-m"),
        ("simulate --tiles 3 --size-px 100000", "--size-px"),
        ("import --survey . --targets a.csv --tile-px -5", "--tile-px"),
        ("evaluate --threshold 50", "--threshold"),
    ],
)
def test_a_number_out_of_its_range_is_refused_at_once(words: str, option: str) -> None:
    answer = CliRunner().invoke(cli, words.split(), env={"COLUMNS": "200"})
    assert answer.exit_code == ExitCode.USAGE
    assert f"Invalid value for '{option}'" in answer.output


def test_help_names_every_environment() -> None:
    answer = CliRunner().invoke(cli, ["train", "--help"], env={"COLUMNS": "200"})
    assert f"({', '.join(environments())})" in " ".join(answer.output.split())


def test_unknown_variable_is_told() -> None:
    answer = run_app("doctor", SONARSTACK_COLOUR="red")
    assert answer.returncode == ExitCode.USAGE
    assert "SONARSTACK_COLOUR" in answer.stderr


@pytest.mark.slow
def test_from_simulation_to_report_and_back(tmp_path: Path) -> None:
    """Simulate, import, train, evaluate, export, detect: as a user would, one after another."""
    survey = simulate_survey(SurveyPlan(seed=4, lines=2, pings=500, samples=512), tmp_path / "survey")
    tiles, run = tmp_path / "tiles", tmp_path / "run"
    done = run_app(
        *(
            "import",
            "--survey",
            str(tmp_path / "survey"),
            "--targets",
            str(survey.truth_geojson),
            "--out",
            str(tiles),
        )
    )
    assert done.returncode == 0, done.stderr
    done = run_app("train", "--data", str(tiles), "--run", str(run), "--recipe", "smoke", "--json")
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)
    assert trained["code"] == 0
    assert trained["epochs"] == 2
    figures = tmp_path / "figures.json"
    done = run_app(
        *("evaluate", "--data", str(tiles), "--model", str(run), "--average-flips", "--json", str(figures))
    )
    assert done.returncode == 0, done.stderr
    scored = json.loads(figures.read_text())
    assert scored["model"].endswith("mirror images")
    assert {"ap50", "ap50_95", "precision", "recall", "images", "boxes"} <= set(scored)
    assert "did not see" in scored["split"]
    assert (run / "model" / "best.onnx").is_file()
    for runtime in ("torch", "onnx"):
        out = tmp_path / runtime
        done = run_app(
            *(
                "detect",
                str(survey.files[0]),
                "--model",
                str(run),
                "--runtime",
                runtime,
                "--out",
                str(out),
                "--json",
                *(("--average-flips",) if runtime == "onnx" else ()),
            )
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pings"] == 500
        assert ("mirror images" in (out / "report.html").read_text()) is (runtime == "onnx")
    again = run_app("train", "--data", str(tiles), "--run", str(run), "--recipe", "smoke")
    assert "complete already" in again.stdout


def test_shipped_weights_detect_in_torch_and_onnx_alike() -> None:
    from app.detector.runtimes import load_runtime

    torch_runtime, onnx_runtime = load_runtime(), load_runtime(runtime="onnx")
    assert torch_runtime.class_names == onnx_runtime.class_names == ("target", "ship", "aircraft")
    image = np.random.default_rng(0).integers(0, 190, (1, 256, 256), dtype=np.uint8)
    image[0, 100:130, 100:130] = 250
    (one,), (other,) = (r.detect(image, min_score=0.05) for r in (torch_runtime, onnx_runtime))
    assert len(one) == len(other)
    assert np.allclose(one.scores, other.scores, atol=0.02)


def test_doctor_tells_that_a_message_address_is_set_and_not_which() -> None:
    for words in (("doctor",), ("doctor", "--json")):
        answer = run_app(*words, SONARSTACK_NOTIFY_URL="json://127.0.0.1:9/planted")
        assert "cloud.notify_url" in answer.stdout
        assert "(set)" in answer.stdout
        assert "planted" not in answer.stdout + answer.stderr
