"""Simulated lines, their truth put in the network's place: places to the metre, heights, raw samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod, Transformer

from app.sonar.simulator.line import SimulatedLine, simulate_line
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.truth import Truth
from app.sonar.simulator.xtf_writer import write_xtf
from app.sonar.waterfall import PositionUnits, Waterfall
from app.survey.boxes import SeabedBox
from app.survey.contact import Contact
from app.survey.correct import Corrector
from app.survey.detect import detect_survey
from app.survey.measure import Surroundings, measured_contact
from app.survey.options import SurveyOptions
from app.survey.pings import PingTable
from app.survey.window import Window
from tests.app.survey.runtimes import BlobRuntime

PLAN = SurveyPlan(
    seed=3, lines=1, pings=900, range_m=50.0, targets_per_line=12, ships_per_line=1, aircraft_per_line=1
)
WGS84 = Geod(ellps="WGS84")


@pytest.fixture(scope="module")
def line() -> SimulatedLine:
    """One line with twelve targets, a wreck and an aircraft."""
    return simulate_line(PLAN, 0)


@pytest.fixture(scope="module")
def measured(line: SimulatedLine) -> list[tuple[Truth, Contact]]:
    """Every true object and the contact that its true box gives."""
    block = Corrector(SurveyOptions()).correct(line.waterfall)
    window = Window()
    window.push(block)
    around = Surroundings(
        source=line.waterfall.source,
        window=window,
        class_names=("target",),
        crs=None,
        ping_spacing_m=None,
        thumbnail_px=256,
    )
    return [(t, measured_contact(_true_box(t, block.pings), around)) for t in line.truth]


def _true_box(truth: Truth, pings: PingTable) -> SeabedBox:
    altitude_m = pings.at(truth.ping).altitude_m
    near_m, far_m = (
        float(np.sqrt(max(0.0, (sample * PLAN.sample_m) ** 2 - altitude_m**2)))
        for sample in (truth.sample_range[0], truth.sample_range[1] + 1)
    )
    return SeabedBox(
        side=truth.side,
        label=0,
        score=0.9,
        start_ping=truth.ping_range[0] - 0.5,
        end_ping=truth.ping_range[1] + 0.5,
        near_m=near_m,
        far_m=far_m,
    )


def test_targets_are_placed_to_the_metre_and_large_objects_to_a_few(
    measured: list[tuple[Truth, Contact]],
) -> None:
    assert sum(truth.label == "target" for truth, _ in measured) >= 8
    for truth, contact in measured:
        error_m = WGS84.inv(truth.longitude, truth.latitude, contact.longitude, contact.latitude)[2]
        assert error_m < (1.0 if truth.label == "target" else 4.0), truth
        assert contact.side is truth.side


def test_heights_follow_from_the_shadows(measured: list[tuple[Truth, Contact]]) -> None:
    pairs = [(t.height_m, c.height_m) for t, c in measured if t.label == "target" and c.height_m is not None]
    assert len(pairs) >= 6
    true_m, found_m = np.array(pairs).T
    assert np.median(np.abs(found_m - true_m) / true_m) < 0.3
    assert np.corrcoef(true_m, found_m)[0, 1] > 0.6


def test_raw_samples_and_pings_of_a_box_come_back(measured: list[tuple[Truth, Contact]]) -> None:
    for truth, contact in measured:
        assert contact.ping_range == truth.ping_range
        assert contact.sample_range == pytest.approx(truth.sample_range, abs=2)


@pytest.mark.parametrize("crs", [None, "EPSG:25832"])
def test_the_same_contacts_through_a_file(line: SimulatedLine, tmp_path: Path, crs: str | None) -> None:
    """Written as XTF, read in blocks, in degrees or in a grid: the same places as straight from memory."""
    waterfall = line.waterfall if crs is None else _in_grid(line.waterfall, crs)
    write_xtf(tmp_path / "line.xtf", waterfall)
    runtime = BlobRuntime(threshold=215, least_px=12)
    options = SurveyOptions(crs=crs, block_pings=300, tile_px=256)
    result = detect_survey([tmp_path / "line.xtf"], runtime, options)
    assert result.files[0].error is None
    assert result.files[0].pings == PLAN.pings
    targets = [t for t in line.truth if t.label == "target" and t.height_m > 0.4]
    near = 0
    for truth in targets:
        distances = [
            WGS84.inv(truth.longitude, truth.latitude, c.longitude, c.latitude)[2] for c in result.contacts
        ]
        near += min(distances, default=99.0) < 1.5
    # Bright blobs are no detector: it misses some, but what it finds lies where it is.
    assert near >= 0.5 * len(targets)


def _in_grid(waterfall: Waterfall, crs: str) -> Waterfall:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        waterfall.navigation.x, waterfall.navigation.y
    )
    return replace(waterfall, navigation=replace(waterfall.navigation, x=x, y=y, units=PositionUnits.METRES))
