"""Survey to contacts in pings/s over any number of pings: `python -m benchmarks.survey [--pings N] [--runtime R]`.

The pings (2 x 1024 samples) are made as they are read and stored nowhere: a simulated line of a few thousand
pings, repeated with positions that go on. One repetition of `--targets-every` has targets and all else, the others
are bare sand, as sparse as on a real seabed. Prints rate, memory and stages; the contacts' share of the memory apart.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from app.device.freed_memory import keep_freed_memory
from app.sonar.recording import ChannelPair, Defect
from app.sonar.simulator.line import simulate_line
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.waterfall import Waterfall
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions
from app.telemetry.progress import Silent
from benchmarks.detection import open_runtime, own_mib

SIMULATED_PINGS = 4096


class MadeRecording:
    """A line as long as wanted behind the interface of a file; blocks are those of the simulation, moved."""

    source = "simulated line"
    defects: tuple[Defect, ...] = ()

    def __init__(self, pings: int, *, targets_every: int, range_m: float) -> None:
        self._pings, self._targets_every = pings, targets_every
        plan = SurveyPlan(
            lines=1,
            pings=SIMULATED_PINGS,
            samples=1024,
            range_m=range_m,
            ping_rate_hz=10,
            speed_mps=2.0,
        )
        bare = replace(
            plan,
            bottom="sand",
            targets_per_line=0,
            ships_per_line=0,
            aircraft_per_line=0,
            stones_per_line=0,
            tracks_per_line=0,
        )
        self._empty, self._with_targets = (simulate_line(p, 0).waterfall for p in (bare, plan))
        self.channel_pairs = (ChannelPair(port=0, starboard=1, frequency_khz=self._empty.frequency_khz),)

    def ping_count(self, pair: int | None = None) -> int:  # noqa: ARG002
        """See `Recording`."""
        return self._pings

    def blocks(self, *, pings: int = SIMULATED_PINGS, pair: int | None = None) -> Iterator[Waterfall]:  # noqa: ARG002
        """See `Recording`; each block is one repetition."""
        assert pings == SIMULATED_PINGS, "blocks come in the size of the simulation"
        nav = self._empty.navigation
        assert nav.x is not None
        assert nav.y is not None
        step_x, step_y = (np.diff(v).mean() * SIMULATED_PINGS for v in (nav.x, nav.y))
        step_s = np.diff(nav.time_s).mean() * SIMULATED_PINGS
        for n, first in enumerate(range(0, self._pings, SIMULATED_PINGS)):
            once = self._empty if n % self._targets_every else self._with_targets
            moved = replace(
                once.navigation, x=nav.x + n * step_x, y=nav.y + n * step_y, time_s=nav.time_s + n * step_s
            )
            # A copy, as a file's samples would be fresh memory too.
            port, starboard = (None if s is None else s.copy() for s in (once.port_PS, once.starboard_PS))
            yield replace(once, first_ping=first, navigation=moved, port_PS=port, starboard_PS=starboard)


@dataclass
class MemoryCurve(Silent):
    """Listens to the progress: memory of the process at every twentieth of the line."""

    total: int
    seen: float = 0.0
    started_s: float = field(default_factory=time.perf_counter)
    points: list[tuple[int, float, float]] = field(default_factory=list)
    """Pings, MiB, pings/s so far."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """See `Progress`."""
        self.seen += amount
        if self.seen >= (len(self.points) + 1) * self.total / 20 or not self.points:
            rate = self.seen / (time.perf_counter() - self.started_s)
            self.points.append((int(self.seen), own_mib(), rate))
            print(
                f"{int(self.seen):>12,} pings  {own_mib():>7,.0f} MiB  {rate:>8,.0f} pings/s  {note}",
                flush=True,
            )


def main() -> None:
    """Print the curve, the rate and the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pings", type=int, default=1_000_000)
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--threads", type=int, default=1, help="of one operation")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="batches side by side")
    parser.add_argument("--targets-every", type=int, default=64, help="repetitions of the simulated line")
    parser.add_argument("--range-m", type=float, default=75.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    keep_freed_memory()
    runtime = open_runtime(given.model, given.runtime, given.threads)
    recording = MadeRecording(given.pings, targets_every=given.targets_every, range_m=given.range_m)
    options = SurveyOptions(workers=given.workers, block_pings=SIMULATED_PINGS)
    detect_survey(
        [MadeRecording(3 * SIMULATED_PINGS, targets_every=1, range_m=given.range_m)], runtime, options
    )
    curve, cpu_s = MemoryCurve(total=given.pings), time.process_time()
    result = detect_survey([recording], runtime, options, curve)
    cpu_s = time.process_time() - cpu_s
    pictures_mib = sum(c.thumbnail.nbytes for c in result.contacts) / 2**20
    print(f"{result.model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"{result.pings:,} pings in {result.seconds:.1f} s: {result.pings / result.seconds:,.0f} pings/s, "
        f"{1e6 * cpu_s / result.pings:.0f} us of processor a ping, {len(result.contacts)} contacts "
        f"(their pictures {pictures_mib:.0f} MiB)"
    )
    for name, seconds in result.stage_s.items():
        print(f"    {name:<18} {seconds:>8.1f} s  {1e6 * seconds / result.pings:>6.1f} us a ping")
    print("    network: of all workers together; reading and correcting go on beside it in a thread")
    if given.json is not None:
        figures = {
            "pings": result.pings,
            "seconds": result.seconds,
            "cpu_s": cpu_s,
            "stage_s": result.stage_s,
        }
        figures |= {"contacts": len(result.contacts), "memory": curve.points, "model": result.model}
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
