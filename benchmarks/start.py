"""From the start of the process to the first work: `python -m benchmarks.start [--rounds N] [--data FOLDER]`.

detect: to the end of the first tile in the network, from XTF, for each runtime; train: to the end of the first
step. A child process runs the verb itself; what is watched reports the time since the kernel started it, and the
processor time used by then, which another program's load does not move. `imports` lists what takes longest.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import psutil

MARK, CHILD = "first-work", "child"


def main() -> None:
    """Print one line for each way to start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="labelled tiles for train; made ones without it")
    parser.add_argument("--only", choices=("detect", "train", "imports"))
    if sys.argv[1:2] == [CHILD]:
        _child(sys.argv[2:])
        return
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory() as folder:
        if options.only in (None, "detect"):
            _detect(Path(folder), options.rounds)
        if options.only in (None, "train"):
            _train(Path(folder), options.rounds, options.data)
    if options.only in (None, "imports"):
        _imports()


def _detect(folder: Path, rounds: int) -> None:
    from app.sonar.simulator.line import simulate_line
    from app.sonar.simulator.plan import SurveyPlan
    from app.sonar.simulator.xtf_writer import write_xtf

    survey = folder / "line.xtf"
    plan = SurveyPlan(lines=1, pings=2048, samples=1024, range_m=75.0, ping_rate_hz=10, speed_mps=2.0)
    write_xtf(survey, [simulate_line(plan, 0).waterfall])
    runtimes = ["quick", "torch", *(["openvino"] if find_spec("openvino") is not None else []), "auto"]
    for runtime in runtimes:
        arguments = ["detect", str(survey), "--out", str(folder / "out"), "--runtime", runtime]
        _show(f"detect --runtime {runtime}", "first tile", arguments, rounds)


def _train(folder: Path, rounds: int, data: Path | None) -> None:
    if data is None:
        from app.dataset.formats.yolo_writer import write_yolo_tiles
        from benchmarks.loader import made_tiles

        data = folder / "tiles"
        write_yolo_tiles(made_tiles(), data, ("target",))
    for number in range(rounds):
        arguments = ["train", "--data", str(data), "--run", str(folder / f"run-{number}"), "--epochs", "1"]
        _show("train", "first step", arguments, 1)


def _show(title: str, work: str, arguments: list[str], rounds: int) -> None:
    figures = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "benchmarks.start", CHILD, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told = next((line.split() for line in done.stdout.splitlines() if line.startswith(MARK)), None)
        if told is None:
            raise SystemExit(f"{' '.join(arguments)} did not get to its {work}:\n{done.stderr}")
        figures.append((float(told[1]), float(told[2])))
    wall, processor = (statistics.median(column) for column in zip(*figures, strict=True))
    print(
        f"{title}: {wall:.2f} s to the {work} (least {min(figures)[0]:.2f}), {processor:.2f} s of processor, "
        f"median of {rounds}",
        flush=True,
    )


def _child(arguments: list[str]) -> None:
    """Run the verb with its first work watched, and end with it."""

    def watched(function: Callable[..., Any]) -> Callable[..., NoReturn]:
        def call(*values: Any, **named: Any) -> NoReturn:
            function(*values, **named)
            process = psutil.Process()
            used = process.cpu_times()
            print(MARK, time.time() - process.create_time(), used.user + used.system, flush=True)
            os._exit(0)

        return call

    _watch(arguments[0], watched)
    sys.argv = ["app", *arguments]
    from app.__main__ import main as app

    app()


def _watch(verb: str, watched: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Wrap what does the first work when its module is imported, so that watching imports nothing early."""
    import builtins

    plain = builtins.__import__
    place = {
        "detect": ("app.survey.line", "LineDetector", "_found"),
        "train": ("app.training.session", "Session", "step"),
    }
    module, owner, name = place[verb]

    def importing(*values: Any, **named: Any) -> Any:
        answer = plain(*values, **named)
        loaded = sys.modules.get(module)
        kind = getattr(loaded, owner, None)
        if kind is not None and not getattr(kind, MARK, False):
            setattr(kind, MARK, True)
            setattr(kind, name, watched(getattr(kind, name)))
        return answer

    builtins.__import__ = importing


def _imports() -> None:
    program = (
        "from app.__main__ import cli; import app.survey.detect, app.report.write, app.verbs.chosen_runtime"
    )
    command = [sys.executable, "-X", "importtime", "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    rows = [line.removeprefix("import time:").split("|") for line in told.splitlines() if "|" in line]
    own = sorted(((int(r[0]), r[2].strip()) for r in rows if r[0].strip().isdecimal()), reverse=True)
    print(
        f"imports of detect before its runtime: {sum(us for us, _ in own) / 1e6:.2f} s; the longest in themselves:"
    )
    for microseconds, module in own[:12]:
        print(f"  {microseconds / 1e3:7.1f} ms  {module}")


if __name__ == "__main__":
    main()
