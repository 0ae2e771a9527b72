"""Whole lines: geometry, truth and what is written down of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod, Transformer

from app.errors import OutputError, SettingsError
from app.sonar.simulator.line import BLOCK_PINGS, SimulatedLine, line_truth, simulate_line
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.scene import draw_scene
from app.sonar.simulator.shape import SHIP, TARGET
from app.sonar.simulator.survey import simulate_survey
from app.sonar.simulator.truth import Truth
from app.sonar.waterfall import PositionUnits, Side
from app.telemetry.progress import Silent

PLAN = SurveyPlan(seed=6, lines=2, pings=600, samples=512, range_m=40.0, altitude_m=6.0, stones_per_line=4)


@pytest.fixture(scope="module")
def line() -> SimulatedLine:
    return simulate_line(PLAN, 1)


def test_fixed_by_seed(line: SimulatedLine) -> None:
    again = simulate_line(PLAN, 1)
    np.testing.assert_array_equal(line.waterfall.port_PS, again.waterfall.port_PS)
    assert line.truth == again.truth
    other = simulate_line(replace(PLAN, seed=5), 1)
    assert not np.array_equal(line.waterfall.port_PS, other.waterfall.port_PS)


def test_forms(line: SimulatedLine) -> None:
    waterfall = line.waterfall
    for side in Side:
        image = waterfall.side(side)
        assert image is not None
        assert image.shape == (600, 512)
        assert image.dtype == np.uint8
        assert 20 < float(image.mean()) < 130
    assert waterfall.pings == 600
    assert waterfall.navigation.units is PositionUnits.DEGREES
    deep = simulate_line(replace(PLAN, pings=64, bytes_per_sample=2), 0).waterfall.port_PS
    assert deep is not None
    assert deep.dtype == np.uint16


def test_first_bottom_return_is_at_the_altitude(line: SimulatedLine) -> None:
    assert line.waterfall.starboard_PS is not None
    altitude_m = line.waterfall.navigation.altitude_m
    assert altitude_m is not None
    image = line.waterfall.starboard_PS.astype(float)
    image = np.apply_along_axis(lambda c: np.convolve(c, np.ones(9) / 9, "same"), 0, image)
    # The transmit pulse fills the first samples, the surface return lies beyond the bottom here.
    first = np.array([20 + int((row[20:] > 25).argmax()) for row in image]) * PLAN.sample_m
    assert np.median(np.abs(first - altitude_m)) < 0.3


def test_truth_is_where_navigation_and_geometry_put_it(line: SimulatedLine) -> None:
    navigation, geod = line.waterfall.navigation, Geod(ellps="WGS84")
    assert navigation.x is not None
    assert navigation.y is not None
    assert navigation.heading_deg is not None
    assert len(line.truth) >= 6
    for truth in line.truth:
        turn = 90 if truth.side is Side.STARBOARD else -90
        longitude, latitude, _ = geod.fwd(
            navigation.x[truth.ping],
            navigation.y[truth.ping],
            navigation.heading_deg[truth.ping] + turn,
            truth.ground_range_m,
        )
        assert geod.inv(longitude, latitude, truth.longitude, truth.latitude)[2] < 0.5


def highlight(line: SimulatedLine, truth: Truth) -> tuple[float, float]:
    """Share of unusually bright and of dark samples in the box, against the pings of the box."""
    image = line.waterfall.side(truth.side)
    assert image is not None
    rows = slice(truth.ping_range[0], truth.ping_range[1] + 1)
    columns = slice(truth.sample_range[0], truth.sample_range[1] + 1)
    near = image[rows, max(0, columns.start - 60) : columns.stop + 60]
    bright, dark = np.percentile(near, (90, 10))
    box = image[rows, columns]
    return float((box > bright).mean()), float((box < dark).mean())


def test_boxes_lie_on_what_the_picture_shows(line: SimulatedLine) -> None:
    shares = [max(highlight(line, truth)) for truth in line.truth]
    assert np.mean(np.array(shares) > 0.15) > 0.7


def test_shadow_in_the_truth_has_the_length_of_the_height(line: SimulatedLine) -> None:
    altitude_m = line.waterfall.navigation.altitude_m
    assert altitude_m is not None
    checked = 0
    for truth in line.truth:
        end_m = truth.shadow_end_sample * PLAN.sample_m
        if truth.label != TARGET or end_m > 0.97 * PLAN.range_m:
            continue
        altitude = altitude_m[truth.ping]
        ground_end = np.sqrt(end_m**2 - altitude**2)
        # From the shadow's end back to the top of the object: similar triangles.
        height_m = altitude * (1 - (truth.ground_range_m / ground_end))
        reach_m = altitude * truth.length_m / ground_end
        assert -0.15 < truth.height_m - height_m + reach_m / 2 < reach_m + 0.35
        checked += 1
    assert checked >= 3


def test_blocks_meet_without_a_seam(line: SimulatedLine) -> None:
    image = line.waterfall.port_PS
    assert image is not None
    rows = image[:, 200:].astype(float).mean(1)
    steps = np.abs(np.diff(rows))
    usual = np.percentile(steps, 95)
    for edge in range(BLOCK_PINGS, PLAN.pings, BLOCK_PINGS):
        assert steps[edge - 1] < 2.5 * usual


def test_survey_on_disk_with_its_truth(tmp_path: Path) -> None:
    plan = replace(PLAN, pings=300)
    survey = simulate_survey(plan, tmp_path / "new" / "survey", Silent())
    assert [path.name for path in survey.files] == ["line-00.xtf", "line-01.xtf"]
    assert 0 < len({truth.number for truth in survey.truth}) <= survey.laid

    points = json.loads(survey.truth_geojson.read_text())
    assert points["type"] == "FeatureCollection"
    assert len(points["features"]) == len({truth.number for truth in survey.truth})
    for feature in points["features"]:
        truth = next(t for t in survey.truth if t.number == feature["id"])
        assert feature["geometry"]["coordinates"] == pytest.approx(
            [truth.longitude, truth.latitude], abs=1e-7
        )
        assert feature["properties"]["label"] == truth.label

    coco = json.loads(survey.truth_coco.read_text())
    assert len(coco["images"]) == 4
    assert len(coco["annotations"]) == len(survey.truth)
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    for annotation in coco["annotations"]:
        left, top, width, height = annotation["bbox"]
        assert left >= 0
        assert top >= 0
        assert left + width <= sizes[annotation["image_id"]][0]
        assert top + height <= sizes[annotation["image_id"]][1]


def test_survey_in_a_grid(tmp_path: Path) -> None:
    plan = replace(PLAN, lines=1, pings=64, crs="EPSG:32632")
    grid, degrees = (simulate_line(p, 0).waterfall.navigation for p in (plan, replace(plan, crs=None)))
    assert grid.units is PositionUnits.METRES
    back = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(grid.x, grid.y)
    np.testing.assert_allclose(back[0], degrees.x, atol=1e-9)
    np.testing.assert_allclose(back[1], degrees.y, atol=1e-9)


def test_every_line_finds_its_own_objects(line: SimulatedLine) -> None:
    first = line_truth(PLAN, 0, draw_scene(PLAN))
    both = [{truth.number for truth in found} for found in (first, line.truth)]
    assert both[0]
    assert both[1]
    # Lines lie farther apart than they see.
    assert not both[0] & both[1]
    assert SHIP in {truth.label for truth in first}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bottom": "lava"}, "bottom='lava': choose one of mud, sand"),
        ({"bytes_per_sample": 3}, "bytes_per_sample=3: give 1 or 2"),
        ({"pings": 3}, "pings=3 is too small; give 32 or more"),
        ({"altitude_m": 30.0}, "give at most half the range"),
    ],
)
def test_impossible_plans_are_told(change: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        replace(PLAN, **change)  # type: ignore[arg-type]


def test_missing_line_and_unwritable_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="line 2 is not in the plan, which has lines 0 to 1"):
        simulate_line(PLAN, 2)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        simulate_survey(PLAN, tmp_path / "file" / "survey")
