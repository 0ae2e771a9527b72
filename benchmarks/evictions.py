"""Trainings that a stand-in of Azure evicts again and again: `python -m benchmarks.evictions [--runs 2]`.

SIMULATED: no Azure. Each machine is a process of `python -m app train` with an empty home; data and run lie in Azurite
(`azurite-blob` on PATH, or SONARSTACK_AZURITE), reached by HTTPS with tokens of the machine's identity, and scheduled
events come from a server on loopback that is asked every second, as in earnest. Told of are the steps that each
eviction cost, and the seconds from the notice until checkpoint and manifest are mirrored and the process has ended;
Azure gives 30. Exits 1 where a run does not end bit-equal with one that nobody disturbed.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.exit_codes import ExitCode
from app.training.manifest import verify_manifest
from benchmarks.inference import cpu
from tests.app.azure import AzureMachine, azure_machine_of, put_azure_data
from tests.app.training.made_run import write_squares
from tests.app.training.spot_machine import (
    STEPS_AN_EPOCH,
    Machine,
    resumed_from,
    same,
    uninterrupted,
    weights,
)
from tests.infra.azure.azurite import Azurite, serve

TILES = 40
NOTICE_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Eviction:
    """What one notice led to."""

    run: int
    told_at: int
    """Step of the newest figures when the event appeared."""
    stopped_at: int
    resumed_at: int
    exit_s: float
    """From the event's appearance to the end of the process, mirror included."""
    mib: float
    """Of the checkpoint."""

    @property
    def lost(self) -> int:
        return self.stopped_at - self.resumed_at


def machine(folder: Path, cloud: AzureMachine, run: int, epochs: int) -> Machine:
    """A fresh one of this run."""
    variables = {
        **cloud.variables(),
        "SONARSTACK_CLOUD": "azure",
        "SONARSTACK_DATA_URL": "az://data/sets/squares",
        "SONARSTACK_RUN_URL": f"az://runs/st/run-{run}",
    }
    return Machine(folder, variables, epochs=epochs)


def evicted(first: Machine, cloud: AzureMachine, at: int) -> tuple[int, float, str]:
    """Let it train up to that step and take it; the step of the notice, seconds until it has ended, what it said."""
    first.until_step(at)
    told_at = max(line.get("step", 0) for line in first.metrics())
    began = time.monotonic()
    cloud.metadata.evict()
    code, output = first.end()
    if code != ExitCode.INTERRUPTED:
        raise RuntimeError(f"ended with {code} after the notice:\n{output}")
    return told_at, time.monotonic() - began, output


def trial(
    number: int, folder: Path, azurite: Azurite, whole: Path, given: argparse.Namespace
) -> list[Eviction]:
    """One run, evicted so often, then left alone."""
    rng = random.Random(given.seed + number)
    steps = given.epochs * STEPS_AN_EPOCH
    # Figures come every ten steps; the last part is left for the notice to be heard in.
    moments = sorted(rng.sample(range(10, steps - 40, 10), given.evictions))
    pending: tuple[int, int, float, float] | None = None
    done: list[Eviction] = []
    for part in range(given.evictions + 1):
        with azure_machine_of(azurite) as cloud:
            here = machine(folder / f"run-{number}-{part}", cloud, number, given.epochs)
            if part < given.evictions:
                told_at, exit_s, output = evicted(here, cloud, moments[part])
            else:
                code, output = here.end()
                if code != ExitCode.DONE:
                    raise RuntimeError(f"ended with {code}:\n{output}")
        if pending is not None:
            told, stopped, seconds, mib = pending
            done.append(
                Eviction(
                    run=number,
                    told_at=told,
                    stopped_at=stopped,
                    resumed_at=resumed_from(output),
                    exit_s=seconds,
                    mib=mib,
                )
            )
        if part < given.evictions:
            newest = max((here.run / "checkpoints").glob("step-*.pt"))
            pending = told_at, here.latest()["step"], exit_s, newest.stat().st_size / 2**20
    if not same(weights(here.run), weights(whole)) or verify_manifest(here.run):
        sys.exit(f"run {number} differs from the undisturbed one, or is not whole")
    return done


def main() -> None:
    """Print one line an eviction and a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--evictions", type=int, default=3, help="of each run")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextmanager(serve)(Path(name), tls=True) as azurite:
        folder = Path(name)
        data = write_squares(folder / "data", count=TILES)
        put_azure_data(azurite, data, "sets/squares")
        uninterrupted(data, folder / "whole", epochs=given.epochs)
        load = os.getloadavg()[0]
        print(f"SIMULATED (stand-ins on loopback), {time.strftime('%Y-%m-%d')}, {cpu()}, load {load:.0f}\n")
        evictions = [
            one
            for number in range(given.runs)
            for one in trial(number, folder, azurite, folder / "whole", given)
        ]
    show(evictions, given)


def show(evictions: list[Eviction], given: argparse.Namespace) -> None:
    """A table, then what it comes to."""
    print(
        "| run | notice at step | stopped at | resumed at | steps lost | checkpoint, MiB | notice to exit, s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for e in evictions:
        print(
            f"| {e.run} | {e.told_at} | {e.stopped_at} | {e.resumed_at} | {e.lost} | {e.mib:.1f} | {e.exit_s:.1f} |"
        )
    late = sum(e.exit_s > NOTICE_S for e in evictions)
    print(
        f"\n{len(evictions)} evictions in {given.runs} runs of {given.epochs * STEPS_AN_EPOCH} steps: "
        f"{sum(e.lost for e in evictions)} steps lost; notice to exit {min(e.exit_s for e in evictions):.1f} to "
        f"{max(e.exit_s for e in evictions):.1f} s, later than Azure's {NOTICE_S:.0f} s: {late}; all runs end "
        "bit-equal with the undisturbed one"
    )


if __name__ == "__main__":
    main()
