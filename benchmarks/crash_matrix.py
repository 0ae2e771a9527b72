"""kill -9 at every call of the API: `python -m benchmarks.crash_matrix [--jobs N] [--scenario TEXT] [--protocol]`.

Plugin, or engine and plugin, die before and after each call of `up` and `destroy` against the simulated Runpod; what
its user does then is played too, and all promises about money and loss are checked. SIMULATED, and with a job that
only stands in for a training. Exit code 1 if a promise was broken.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.matrix import COLUMNS, at_calls, stage, while_it_waits
from tests.crash.scenarios import SCENARIOS, WAITING
from tests.crash.ways import Engine, Plugin, Way


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4, help="crashes at a time")
    parser.add_argument("--scenario", default="", help="only those whose name holds this")
    parser.add_argument("--victim", choices=("provider", "engine"), help="only this one")
    parser.add_argument("--protocol", action="store_true", help="without the pulumi program")
    parser.add_argument("--keep", action="store_true", help="the folders of all crashes")
    options = parser.parse_args()
    engine: Way = Plugin() if options.protocol or shutil.which("pulumi") is None else Engine()
    columns = [one for one in COLUMNS if options.victim in (None, one.victim)]
    folder = Path(tempfile.mkdtemp(prefix="crash-matrix-")).resolve()
    began = time.monotonic()
    try:
        with stage({"provider": Plugin(), "engine": engine}, folder, jobs=options.jobs, say=say) as on:
            tables = at_calls(on, [one for one in SCENARIOS if options.scenario in one.name], columns)
            if options.scenario in WAITING.name:
                tables.append(while_it_waits(on, list(dict.fromkeys(one.victim for one in columns))))
    finally:
        if options.keep:
            say(f"all of it lies in {folder}")
        else:
            shutil.rmtree(folder)
    for table in tables:
        print("\n".join([*table.lines(), ""]))
    outcomes = [one for table in tables for one in table.outcomes]
    broken = sum(not one.ok for one in outcomes)
    print(
        f"SIMULATED: {len(outcomes)} crashes, {broken} broke a promise; {time.monotonic() - began:.0f} s, "
        f"{options.jobs} at a time; the engine's columns with "
        + ("the pulumi program" if engine.name == "engine" else "stacks.without_engine in its place")
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
