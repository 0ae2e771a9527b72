"""kill -9 at every call of the API: `python -m benchmarks.crash_matrix [--jobs N] [--scenario TEXT] [--protocol]`.

Plugin, or engine and plugin, die before and after each call of `up` and `destroy` against the simulated Runpod; what
its user does then is played too, and all promises about money and loss are checked. SIMULATED, and with a job that
only stands in for a training.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.cell import SCENARIOS
from tests.crash.matrix import COLUMNS, play
from tests.crash.ways import Engine, Plugin, Way


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=3, help="crashes at a time")
    parser.add_argument("--scenario", default="", help="only those whose name holds this")
    parser.add_argument("--victim", choices=("provider", "engine"), help="only this one")
    parser.add_argument("--protocol", action="store_true", help="without the pulumi program")
    parser.add_argument("--keep", action="store_true", help="the folders of all crashes")
    options = parser.parse_args()
    engine: Way = Plugin() if options.protocol or shutil.which("pulumi") is None else Engine()
    chosen = [one for one in SCENARIOS if options.scenario in one.name]
    columns = [one for one in COLUMNS if options.victim in (None, one[0])]
    folder = Path(tempfile.mkdtemp(prefix="crash-matrix-")).resolve()
    began = time.monotonic()
    try:
        found = play(
            chosen,
            {"provider": Plugin(), "engine": engine},
            folder,
            jobs=options.jobs,
            say=say,
            columns=columns,
        )
    finally:
        if options.keep:
            say(f"all of it lies in {folder}")
        else:
            shutil.rmtree(folder)
    for one in found:
        print("\n".join([*one.lines(), ""]))
    outcomes = [outcome for one in found for outcome in one.outcomes.values()]
    broken = sum(not one.ok for one in outcomes)
    print(
        f"SIMULATED: {len(outcomes)} crashes, {broken} broke a promise; {time.monotonic() - began:.0f} s, "
        f"{options.jobs} at a time; the engine's columns with "
        + ("the pulumi program" if engine.name == "engine" else "stacks.without_engine in its place")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
