"""XTF reading against pyxtf: `python -m benchmarks.xtf_reading [FILE.xtf ...]`.

Both readers take the same file in the same run, in turn, and the best of the rounds counts: every sample of both
sides as arrays, and the positions. Then our corrections, block by block, as detection uses them. Counted are
processor seconds on one core, with OpenCV on one thread: what else the machine does is left out.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from app.sonar.corrections.bottom import choose_altitude
from app.sonar.corrections.gain import GainState, normalise_gain_after
from app.sonar.corrections.geometry import slant_to_ground
from app.sonar.recording import open_recording
from app.sonar.simulator.xtf_writer import write_xtf
from app.sonar.waterfall import Navigation, PositionUnits, Side, Waterfall

ROUNDS = 5
PINGS, SAMPLES, RANGE_M = 20_000, 1024, 50.0
AIM_TIMES = 5.0
BLOCK = 2000
REPOSITORY = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("SONARSTACK_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "xtf"


def made_recording(path: Path) -> None:
    """20,000 pings of speckle behind a water column, uint8."""
    rng = np.random.default_rng(0)
    speckle = np.clip(rng.gamma(4, 25, (BLOCK, SAMPLES)) * np.linspace(1.6, 0.5, SAMPLES), 0, 255)
    speckle[:, : int(8 / RANGE_M * SAMPLES)] = 3
    rows = speckle.astype(np.uint8)

    def blocks() -> "list[Waterfall]":
        return [
            Waterfall(
                source=path.name,
                first_ping=first,
                port_PS=np.roll(rows, first // BLOCK * 7, axis=0),
                starboard_PS=np.roll(rows, first // BLOCK * 13, axis=0),
                slant_range_m=np.full(BLOCK, RANGE_M),
                navigation=Navigation(
                    time_s=1.7e9 + np.arange(first, first + BLOCK, dtype=np.float64) * 0.1,
                    x=-68 + np.arange(first, first + BLOCK, dtype=np.float64) * 1e-6,
                    y=np.full(BLOCK, 48.0),
                    units=PositionUnits.DEGREES,
                    heading_deg=np.full(BLOCK, 90.0),
                    altitude_m=np.full(BLOCK, 8.0),
                ),
                frequency_khz=455.0,
            )
            for first in range(0, PINGS, BLOCK)
        ]

    write_xtf(path, blocks())


def read_ours(path: Path) -> tuple[int, float]:
    """Pings and the sum of a column, which both readers must agree on."""
    pings, total = 0, 0.0
    for block in open_recording(path).blocks():
        assert block.starboard_PS is not None
        pings += block.pings
        total += float(block.starboard_PS[:, 100].sum(dtype=np.float64))
    return pings, total


def read_pyxtf(path: Path) -> tuple[int, float]:
    """The same by pyxtf: packets, then the channels stacked into arrays."""
    import pyxtf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, packets = pyxtf.xtf_read(str(path))
    pings = packets[pyxtf.XTFHeaderType.sonar]
    sides = [np.stack([p.data[c] for p in pings]) for c in range(2)]
    np.array([(p.SensorXcoordinate, p.SensorYcoordinate) for p in pings])
    return len(pings), float(sides[1][:, 100].sum(dtype=np.float64))


def corrected(path: Path) -> tuple[int, float]:
    """Pings, and the seconds spent on altitude, ground range and gain alone."""
    pings, seconds = 0, 0.0
    state: dict[Side, GainState | None] = {}
    for block in open_recording(path).blocks():
        start = time.process_time()
        altitude_m = np.nan_to_num(choose_altitude(block)[0])
        for side in Side:
            raw_PS = block.side(side)
            if raw_PS is None:
                continue
            pixel_m = float(np.nanmedian(block.slant_range_m)) / raw_PS.shape[1]
            ground = slant_to_ground(
                raw_PS, block.slant_range_m, altitude_m, pixel_m=pixel_m, width_px=raw_PS.shape[1]
            )
            _, state[side] = normalise_gain_after(ground, state.get(side))
        seconds += time.process_time() - start
        pings += block.pings
    return pings, seconds


def seconds_of(call: Callable[[Path], tuple[int, float]], path: Path) -> tuple[float, tuple[int, float]]:
    """Processor time of one call, and what it returned."""
    start = time.process_time()
    found = call(path)
    return time.process_time() - start, found


def measure(path: Path) -> None:
    """One line of the table."""
    ours, theirs, corrections = [], [], []
    for _ in range(ROUNDS):
        our_s, our_find = seconds_of(read_ours, path)
        their_s, their_find = seconds_of(read_pyxtf, path)
        if our_find != their_find:
            raise SystemExit(f"{path.name}: the readers disagree, {our_find} and {their_find}")
        ours.append(our_s)
        theirs.append(their_s)
        corrections.append(corrected(path)[1])
    pings = our_find[0]
    times = min(theirs) / min(ours)
    verdict = "reached" if times >= AIM_TIMES else "missed"
    print(
        f"{path.name:24} {pings:7,} {pings / min(ours):12,.0f} {pings / min(theirs):12,.0f} {times:7.1f}x "
        f"{verdict:8} {pings / min(corrections):12,.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", type=Path, help="without: a generated file and the real ones found"
    )
    files = parser.parse_args().files
    cv2.setNumThreads(1)
    print(f"pings per processor second, best of {ROUNDS}; load {os.getloadavg()[0]:.1f}; aim {AIM_TIMES:g}x")
    print(f"{'file':24} {'pings':>7} {'ours':>12} {'pyxtf':>12} {'times':>8} {'aim':8} {'corrections':>12}")
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            generated = Path(folder) / "generated.xtf"
            made_recording(generated)
            files = [generated, *sorted(REAL.glob("*.xtf"))]
        for path in files:
            measure(path)


if __name__ == "__main__":
    main()
