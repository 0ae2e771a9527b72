"""The map's projection and what it shows."""

import math

import numpy as np
import pytest
from pyproj import Geod

from app.report.projection import Projection, degrees_text, nice_step, projection_around
from app.report.survey_map import HEIGHTS_PX, WIDTH_PX, survey_maps
from app.sonar.waterfall import PositionUnits
from app.survey.result import Track
from tests.app.report.made_survey import made_contact, made_file, made_result, made_track


@pytest.mark.parametrize("latitude", [0.0, 48.4, -77.0])
def test_projection_agrees_with_the_ellipsoid(latitude: float) -> None:
    projection = Projection(units=PositionUnits.DEGREES, x0=10.0, y0=latitude)
    right, down = projection.metres(np.array([10.01]), np.array([latitude + 0.004]))
    distance_m = Geod(ellps="WGS84").inv(10.0, latitude, 10.01, latitude + 0.004)[2]
    assert math.hypot(right[0], down[0]) == pytest.approx(distance_m, rel=2e-3)
    assert down[0] < 0


def test_projection_goes_back() -> None:
    projection = Projection(units=PositionUnits.DEGREES, x0=-68.8, y0=48.4)
    right, down = projection.metres(np.array([-68.81]), np.array([48.43]))
    assert projection.position(right[0], down[0]) == pytest.approx((-68.81, 48.43))


def test_neighbours_across_the_date_line_lie_side_by_side() -> None:
    projection = projection_around([179.99, -179.99], [0.0, 0.0], PositionUnits.DEGREES)
    right, _ = projection.metres(np.array([179.99, -179.99]), np.zeros(2))
    assert right[1] - right[0] == pytest.approx(0.02 * 111_319.5, rel=1e-3)


def test_a_survey_across_the_date_line_is_one_drawing_of_its_own_size() -> None:
    north = np.linspace(60.0, 60.0005, 40)
    files = (
        made_file("both.xtf", track=made_track((np.linspace(179.998, 180.002, 40) + 180) % 360 - 180, north)),
        made_file("east.xtf", track=made_track(np.linspace(-179.9995, -179.998, 40), north + 0.0005)),
        made_file("west.xtf", track=made_track(np.linspace(179.998, 179.9995, 40), north + 0.001)),
    )
    contacts = (
        made_contact(1, source="both.xtf", longitude=179.999, latitude=60.0002),
        made_contact(2, source="both.xtf", longitude=-179.999, latitude=60.0002),
    )
    (area,) = survey_maps(made_result(contacts=contacts, files=files))
    west, east = area.marks
    drawn_m = (east.x - west.x) / area.scale_px * area.scale_m
    assert drawn_m == pytest.approx(Geod(ellps="WGS84").inv(179.999, 60.0, -179.999, 60.0)[2], rel=0.01)
    for line in area.lines:
        xs = [float(point.split(",")[0]) for point in line.points.split()]
        assert 0 < xs[0] < xs[-1] < WIDTH_PX
        assert xs == sorted(xs)
    assert {tick.text[-1] for tick in area.ticks_x} == {"E", "W"}


@pytest.mark.parametrize(("extent", "steps", "step"), [(480.0, 5, 100.0), (23.0, 5, 5.0), (0.9, 4, 0.2)])
def test_steps_are_round(extent: float, steps: int, step: float) -> None:
    assert nice_step(extent, steps) == pytest.approx(step)


def test_degrees_are_written_with_minutes() -> None:
    assert degrees_text(-68.5, "EW") == "68°30.000′W"
    assert degrees_text(47.9999999, "NS") == "48°00.000′N"


def test_track_and_contacts_lie_inside_the_drawing() -> None:
    (area,) = survey_maps(made_result())
    xs, ys = np.array([[float(v) for v in p.split(",")] for p in area.lines[0].points.split()]).T
    assert 0 < xs.min() < xs.max() < WIDTH_PX
    assert 0 < ys.min() < ys.max() < area.height_px <= HEIGHTS_PX[1]
    assert 0 < area.marks[0].x < WIDTH_PX
    # The line runs to the north-east: right and up.
    assert xs[-1] > xs[0]
    assert ys[-1] < ys[0]


def test_swaths_lie_across_the_heading_not_the_track() -> None:
    east = np.linspace(-68.829, -68.8275, 50)
    track = Track(
        ping=np.arange(50.0),
        x=east,
        y=np.full(50, 48.445),
        units=PositionUnits.DEGREES,
        heading_deg=np.full(50, 70.0),
        port_m=np.zeros(50),
        starboard_m=np.where(np.arange(50) < 25, 40.0, 80.0),
        length_m=110.0,
    )
    (area,) = survey_maps(made_result(contacts=(), files=(made_file(track=track),)))
    (swath,) = area.lines[0].swaths
    corners = np.array([[float(v) for v in p.split(",")] for p in swath.split()])
    # From each point of the track out to what was seen from there, the last point first on the way back.
    for point, reach_m in ((0, 40), (24, 40), (25, 80), (49, 80)):
        out_m = (corners[-1 - point] - corners[point]) / area.scale_px * area.scale_m
        assert out_m == pytest.approx(
            [reach_m * math.sin(math.radians(160)), -reach_m * math.cos(math.radians(160))], abs=0.5
        )


def test_no_latitude_is_cut_off_at_the_top_or_lies_on_a_longitude() -> None:
    for shift in np.linspace(0, 0.001, 40):
        track = made_track(np.linspace(10.0, 10.003, 50), np.linspace(50.0, 50.001, 50) + shift)
        (area,) = survey_maps(made_result(contacts=(), files=(made_file(track=track),)))
        assert len(area.ticks_y) >= 2
        assert min(tick.at for tick in area.ticks_y) >= 34


def test_scale_bar_measures_the_track() -> None:
    (area,) = survey_maps(made_result())
    xs, ys = np.array([[float(v) for v in p.split(",")] for p in area.lines[0].points.split()]).T
    length_m = Geod(ellps="WGS84").inv(-68.829, 48.4450, -68.8275, 48.4464)[2]
    drawn_m = math.hypot(xs[-1] - xs[0], ys[-1] - ys[0]) / area.scale_px * area.scale_m
    assert drawn_m == pytest.approx(length_m, rel=0.01)


def test_far_surveys_and_unnamed_grids_have_maps_of_their_own() -> None:
    far = Track(
        ping=np.arange(2.0),
        x=np.array([10.0, 10.001]),
        y=np.array([54.0, 54.001]),
        units=PositionUnits.DEGREES,
        heading_deg=None,
        port_m=np.full(2, 40.0),
        starboard_m=np.full(2, 40.0),
        length_m=130.0,
    )
    grid = Track(
        ping=np.arange(2.0),
        x=np.array([571_000.0, 571_020.0]),
        y=np.array([5_181_400.0, 5_181_590.0]),
        units=PositionUnits.METRES,
        heading_deg=None,
        port_m=np.full(2, 40.0),
        starboard_m=np.full(2, 40.0),
        length_m=190.0,
    )
    files = (
        made_file(),
        made_file("beside.xtf"),
        made_file("far.xtf", track=far),
        made_file("grid.xtf", track=grid),
        made_file("none.xtf", track=None),
    )
    in_grid = made_contact(
        source="grid.xtf", longitude=None, latitude=None, grid_x_m=571_010.0, grid_y_m=5_181_450.0
    )
    maps = survey_maps(made_result(contacts=(made_contact(), in_grid), files=files))
    assert [area.title for area in maps] == ["line-1.xtf, beside.xtf", "far.xtf", "grid.xtf"]
    assert [len(area.marks) for area in maps] == [1, 0, 1]


def test_a_single_position_can_be_drawn() -> None:
    point = Track(
        ping=np.zeros(1),
        x=np.array([10.0]),
        y=np.array([54.0]),
        units=PositionUnits.DEGREES,
        heading_deg=None,
        port_m=np.zeros(1),
        starboard_m=np.zeros(1),
        length_m=0.0,
    )
    (area,) = survey_maps(made_result(contacts=(), files=(made_file(track=point, area_km2=0.0),)))
    assert area.scale_px > 0
