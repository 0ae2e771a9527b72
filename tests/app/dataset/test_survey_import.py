"""Tiles cut from surveys: the box lies on the object, and whatever cannot be placed is said."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from app.dataset.images import read_grey
from app.dataset.known_targets import read_targets
from app.dataset.read import read_tiles
from app.dataset.survey_import import ImportOptions, ImportSummary, import_survey, line_names
from app.dataset.survey_rows import SurveyRows, survey_rows
from app.dataset.target_boxes import SHADOW_SHARE, TargetBox, target_boxes
from app.errors import DatasetError, OutputError, SonarFileError
from app.sonar.recording import open_recording
from app.sonar.simulator.survey import SurveyPlan, simulate_survey
from app.sonar.simulator.truth import Truth
from app.sonar.waterfall import PositionUnits, Side, Waterfall
from tests.app.dataset import made_survey
from tests.app.dataset.made_survey import HEIGHT_M, LENGTH_M, PINGS, SPACING_M, MadeLine, RangeSwitched
from tests.app.training.made_run import write_squares


def targets_file(folder: Path, lines: list[MadeLine]) -> Path:
    rows = ["Lon,Lat,Label,length_m,height_m"]
    for line in lines:
        longitude, latitude = line.target_position()
        rows.append(f"{longitude:.8f},{latitude:.8f},wreck,{LENGTH_M},{HEIGHT_M}")
    path = folder / "known.csv"
    path.write_text("\n".join(rows))
    return path


def cut(
    monkeypatch: pytest.MonkeyPatch, folder: Path, lines: dict[str, MadeLine], **options: object
) -> ImportSummary:
    """Import made lines as if they were files."""

    def opened(path: Path, *, range_m: float | None) -> MadeLine:
        if path.name not in lines:
            raise SonarFileError(f"{path.name} is not a recording")
        return lines[path.name]

    monkeypatch.setattr("app.dataset.survey_import.open_recording", opened)
    targets = targets_file(folder, [line for line in lines.values() if line.target_ping < PINGS])
    names = [*lines, *options.pop("more", [])]  # type: ignore[misc]
    chosen = ImportOptions(**options)  # type: ignore[arg-type]
    return import_survey([Path(n) for n in names], targets, folder / "out", options=chosen)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("course_deg", [0.0, 40.0, 200.0])
@pytest.mark.parametrize("ground_m", [12.0, 35.0])
def test_the_box_lies_on_object_and_shadow(
    side: Side, course_deg: float, ground_m: float, tmp_path: Path
) -> None:
    line = MadeLine(side=side, course_deg=course_deg, ground_m=ground_m)
    (rows,) = survey_rows(line)
    (target,) = read_targets(targets_file(tmp_path, [line]))
    (box,) = target_boxes(rows, target)
    assert box.side is side
    bright = np.argwhere(rows.images[side] > 240)
    object_rows = np.percentile(bright[:, 0], [2, 98])
    shadow_m = min(ground_m * HEIGHT_M / (6.0 - HEIGHT_M), SHADOW_SHARE * LENGTH_M)
    assert object_rows == pytest.approx([box.top, box.bottom], abs=4)
    assert box.left * rows.pixel_m == pytest.approx(ground_m - LENGTH_M / 2, abs=0.1)
    assert box.right * rows.pixel_m == pytest.approx(ground_m + LENGTH_M / 2 + shadow_m, abs=0.3)
    # The object up to its far end, and behind it its shadow, of which the box takes in the beginning.
    long = round(LENGTH_M / rows.pixel_m)
    seen = rows.images[side][round(box.top) + 2 : round(box.bottom) - 2, round(box.left) :]
    assert seen[:, 2 : long - 2].mean() > 4 * seen[:, long + 3 : round(1.3 * long)].mean()


@pytest.mark.slow
def test_boxes_agree_with_the_simulator(tmp_path: Path) -> None:
    """Recorded as XTF, read back, matched by position alone: what is labelled is what the simulator saw."""
    plan = SurveyPlan(seed=5, lines=1, pings=700)
    survey = simulate_survey(plan, tmp_path / "survey")
    known = {(t.longitude, t.latitude): t for t in read_targets(survey.truth_geojson)}
    overlaps, seen = [], 0
    for file in survey.files:
        (rows,) = survey_rows(open_recording(file))
        truth = [t for t in survey.truth if t.source == file.name]
        for one in truth:
            target = known[round(one.longitude, 8), round(one.latitude, 8)]
            boxes = [box for box in target_boxes(rows, target) if box.side is one.side]
            seen += len(boxes)
            overlaps += [_overlap(box, _in_rows(one, plan, rows)) for box in boxes]
    assert seen >= 0.9 * len(survey.truth) > 5
    assert np.median(overlaps) > 0.5


@pytest.mark.parametrize(
    ("switch_ping", "target_ping", "ground_m"),
    [(700, 900, 75.0), (700, 900, 30.0), (500, 300, 30.0), (1100, 1150, 75.0)],
    ids=["beyond the first range", "after the change", "before the change", "in the last pings"],
)
def test_rows_have_the_range_that_their_pings_have(
    switch_ping: int, target_ping: int, ground_m: float, tmp_path: Path
) -> None:
    line = RangeSwitched(switch_ping=switch_ping, target_ping=target_ping, ground_m=ground_m)
    parts = list(survey_rows(line))
    pings = [len(rows) * rows.pixel_m / SPACING_M for rows in parts]
    assert pings == pytest.approx([switch_ping, PINGS - switch_ping], abs=1)
    near, far = parts
    # As fine as each range allows: of detection's pixels, those that as many samples and this speed give.
    assert (near.pixel_m, far.pixel_m) == pytest.approx((SPACING_M, 100 / 512), rel=1e-3)
    assert [rows.images[line.side].shape[1] * rows.pixel_m for rows in parts] == pytest.approx(
        [50, 100], abs=0.2
    )
    (target,) = read_targets(targets_file(tmp_path, [line]))
    rows = near if target_ping < switch_ping else far
    (box,) = target_boxes(rows, target)
    bright = np.argwhere(rows.images[line.side] > 240)
    assert np.percentile(bright[:, 0], [2, 98]) == pytest.approx([box.top, box.bottom], abs=4)
    assert bright[:, 1].min() == pytest.approx(box.left, abs=3)


def test_rows_lie_on_the_track_across_the_180th_meridian(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(made_survey, "START", (179.99915, 45.0))
    # Rows lie between pings: halfway from 179.999999 to -179.999999 is 180, not 0.
    line = replace(MadeLine(course_deg=80.0), target_ping=456)
    (rows,) = survey_rows(line, pixel_m=0.1)
    from_meridian_deg = (rows.longitude_R + 360) % 360 - 180
    assert (np.diff(from_meridian_deg) > 0).all()
    assert from_meridian_deg[0] < 0 < from_meridian_deg[-1]
    assert np.abs(from_meridian_deg).max() < 0.0015
    assert np.abs(rows.longitude_R).max() <= 180
    assert len(target_boxes(rows, read_targets(targets_file(tmp_path, [line]))[0])) == 1


@dataclass(frozen=True, kw_only=True)
class _LosesPosition(MadeLine):
    """So that the last of two chunks, which is short, has no positions."""

    def blocks(self, *, pings: int = 2048, pair: int | None = None) -> Iterator[Waterfall]:
        first, last = MadeLine.blocks(self, pings=PINGS - 100)
        yield first
        yield replace(last, navigation=replace(last.navigation, x=None, y=None, units=None))


def test_a_short_end_without_positions_is_not_hidden_by_joining_it() -> None:
    with pytest.raises(DatasetError, match="has no positions in degrees"):
        list(survey_rows(_LosesPosition()))


def _in_rows(truth: Truth, plan: SurveyPlan, rows: SurveyRows) -> tuple[float, float, float, float]:
    scale = len(rows) / plan.pings
    altitude_m = rows.altitude_m_R[min(len(rows) - 1, round(truth.ping * scale))]
    slant_m = np.array([truth.sample_range[0], truth.sample_range[1] + 1]) * plan.sample_m
    left, right = np.sqrt(np.maximum(slant_m**2 - altitude_m**2, 0)) / rows.pixel_m
    return left, truth.ping_range[0] * scale, right, (truth.ping_range[1] + 1) * scale


def _overlap(box: TargetBox, truth: tuple[float, float, float, float]) -> float:
    ours = np.array([box.left, box.top, box.right, box.bottom])
    theirs = np.array(truth)
    shared = np.minimum(ours[2:], theirs[2:]) - np.maximum(ours[:2], theirs[:2])
    area = float(np.prod(np.maximum(shared, 0)))
    return area / (float(np.prod(ours[2:] - ours[:2])) + float(np.prod(theirs[2:] - theirs[:2])) - area)


def test_tiles_read_back_as_groups_by_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = {
        "a.xtf": MadeLine(),
        "b.xtf": MadeLine(side=Side.PORT, ground_m=15, course_deg=120, target_ping=900),
    }
    summary = cut(monkeypatch, tmp_path, lines, backgrounds=30)
    assert summary.unseen == []
    assert summary.lines == ["a", "b"]
    tiles, left_out = read_tiles(tmp_path / "out")
    assert left_out == ()
    assert tiles.class_names == ("wreck",)
    assert {t.group for t in tiles.tiles} == {"line:a", "line:b"}
    assert summary.tiles == len(tiles) == summary.backgrounds + sum(len(t.labels) > 0 for t in tiles.tiles)
    assert summary.boxes["wreck"] == sum(len(t.labels) for t in tiles.tiles) >= 2
    assert summary.backgrounds == 60
    for tile in tiles.tiles:
        image = read_grey(tile.path)
        assert image is not None
        assert image.shape == (256, 256)
        assert (image > 240).any() == (len(tile.labels) > 0)


@dataclass(frozen=True, kw_only=True)
class _EndsUnplaced(MadeLine):
    """From ping 600 on without positions."""

    def blocks(self, *, pings: int = 2048, pair: int | None = None) -> Iterator[Waterfall]:
        for block in MadeLine.blocks(self, pings=pings):
            nav = block.navigation
            assert nav.x is not None
            assert nav.y is not None
            lost = block.first_ping + np.arange(block.pings) >= 600
            x, y = np.where(lost, np.nan, nav.x), np.where(lost, np.nan, nav.y)
            yield replace(block, navigation=replace(nav, x=x, y=y))


def test_no_background_is_cut_where_the_position_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A target that lies there cannot be told from the background."""
    lines = {"a.xtf": MadeLine(), "b.xtf": _EndsUnplaced(target_ping=900, course_deg=200.0)}
    summary = cut(monkeypatch, tmp_path, lines, backgrounds=60, tile_px=128)
    assert summary.backgrounds > 60
    for tile in read_tiles(tmp_path / "out")[0].tiles:
        image = read_grey(tile.path)
        assert image is not None
        assert (image > 240).any() == (len(tile.labels) > 0)


def test_a_wreck_larger_than_a_tile_is_labelled_and_no_background(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line = MadeLine()
    longitude, latitude = line.target_position()
    targets = tmp_path / "known.csv"
    targets.write_text(f"lon,lat,label,length_m\n{longitude:.8f},{latitude:.8f},wreck,60\n")
    monkeypatch.setattr("app.dataset.survey_import.open_recording", lambda path, range_m: line)
    summary = import_survey(
        [Path("a.xtf")], targets, tmp_path / "out", options=ImportOptions(pixel_m=0.1, backgrounds=0)
    )
    assert (summary.tiles, summary.backgrounds, summary.boxes) == (1, 0, {"wreck": 1})
    tiles, _ = read_tiles(tmp_path / "out")
    left, top, right, bottom = tiles.tiles[0].boxes_xyxy_px[0]
    assert (right - left) * (bottom - top) > 0.5 * 256 * 256


def test_the_same_survey_gives_the_same_tiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        cut(monkeypatch, tmp_path / name, {"a.xtf": MadeLine()})
        files = sorted(p for p in (tmp_path / name / "out").rglob("*") if p.is_file())
        contents.append([(p.name, p.read_bytes()) for p in files])
    assert contents[0] == contents[1]


def test_an_object_at_the_end_of_the_line_is_labelled_as_far_as_seen(tmp_path: Path) -> None:
    line = MadeLine(target_ping=1195)
    (rows,) = survey_rows(line)
    (box,) = target_boxes(rows, read_targets(targets_file(tmp_path, [line]))[0])
    assert box.top < len(rows) - 5 < box.bottom


def test_targets_that_no_line_passes_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = MadeLine()
    beyond = replace(seen, ground_m=70.0)
    monkeypatch.setattr("app.dataset.survey_import.open_recording", lambda path, range_m: seen)
    targets = targets_file(tmp_path, [seen, beyond])
    summary = import_survey([Path("a.xtf")], targets, tmp_path / "out")
    assert summary.unseen == ["line 3"]


def test_no_target_on_any_line_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("app.dataset.survey_import.open_recording", lambda path, range_m: MadeLine())
    targets = targets_file(tmp_path, [replace(MadeLine(), ground_m=900.0)])
    with pytest.raises(DatasetError, match="none of the 1 targets lies beside the track of 1 recordings"):
        import_survey([Path("a.xtf")], targets, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["known.csv"]


def test_a_bad_recording_stops_or_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SonarFileError, match=r"bad\.xtf is not a recording"):
        cut(monkeypatch, tmp_path, {"a.xtf": MadeLine()}, more=["bad.xtf"])
    summary = cut(monkeypatch, tmp_path, {"a.xtf": MadeLine()}, more=["bad.xtf"], skip_bad=True)
    assert summary.left_out == ["bad.xtf is not a recording"]
    assert summary.boxes == {"wreck": 1}


@pytest.mark.parametrize(
    ("units", "message"),
    [(PositionUnits.METRES, "give --crs, such as EPSG"), (None, "tiles cannot be cut by position")],
)
def test_positions_that_cannot_be_matched(units: PositionUnits | None, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        next(survey_rows(MadeLine(units=units)))


def test_lines_of_one_name_stay_apart() -> None:
    assert line_names([Path("day1/a.xtf"), Path("day2/a.xtf"), Path("b.xtf")]) == ["a", "a-2", "b"]


def test_a_line_whose_name_is_not_utf8_has_one_that_lists_can_hold() -> None:
    files = [Path(os.fsdecode(name)) for name in (b"M\xfc.xtf", b"M\xf6.xtf", "Mü.xtf".encode())]
    names = line_names(files)
    assert names == ["M\ufffd", "M\ufffd-2", "Mü"]
    assert "".join(names).encode()


def geojson(path: Path, *features: object) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def test_targets_from_geojson(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [10.5, 45.25, -8.0]}
    properties = {"label": "ship", "length_m": 40, "width_m": "8", "Heading_deg": 30, "name": None}
    path = geojson(tmp_path / "t.geojson", {"type": "Feature", "geometry": point, "properties": properties})
    (target,) = read_targets(path)
    assert (target.longitude, target.latitude, target.label) == (10.5, 45.25, "ship")
    assert (target.length_m, target.width_m, target.height_m, target.heading_deg) == (40, 8, None, 30)


@pytest.mark.parametrize(
    ("coordinates", "properties", "message"),
    [
        ([[10.5, 45.25]], {}, "feature 1: .* number, not 'list'"),
        ([10.5, 45.25], {"length_m": [3]}, "feature 1: .* number, not 'list'"),
        (5, [1], r"feature 1: has no position \(lon, lat\)"),
    ],
)
def test_what_is_no_number_in_geojson_is_a_wrong_target(
    tmp_path: Path, coordinates: object, properties: object, message: str
) -> None:
    point = {"type": "Point", "coordinates": coordinates}
    path = geojson(tmp_path / "t.geojson", {"geometry": point, "properties": properties})
    with pytest.raises(DatasetError, match=message):
        read_targets(path)


def test_a_mark_of_byte_order_before_geojson_is_passed_over(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [10.5, 45.25]}
    path = geojson(tmp_path / "t.geojson", {"geometry": point, "properties": {}})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_targets(path)[0].longitude == 10.5


def test_contacts_of_a_survey_are_known_targets(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("id,label,longitude_deg,latitude_deg,length_m\nC0001,ship,10.5,45.25,40\n")
    (target,) = read_targets(path)
    assert (target.longitude, target.latitude, target.label, target.length_m) == (10.5, 45.25, "ship", 40)


def test_a_folder_with_tiles_takes_no_others(tmp_path: Path) -> None:
    """Their class numbers and groups would be those of the last import alone."""
    first = write_squares(tmp_path / "tiles", count=4)
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match=r"already holds labelled tiles \(data\.yaml, images, labels\)"):
        write_squares(tmp_path / "tiles", count=6)
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before


def test_every_wrong_target_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("lon,lat,label,length_m\n1,2,a,\n,2,a,\n1,95,a,\n1,x,a,\n1,2,a,-4\n1,nan,a,\n")
    with pytest.raises(DatasetError, match="has 5 wrong targets, such as") as raised:
        read_targets(path)
    assert [d.split(": ")[1] for d in raised.value.defects] == [f"line {n}" for n in range(3, 8)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.txt", "", "is no file of known targets"),
        ("t.csv", "", "holds no target"),
        ("t.csv", "lon,lat,label\n", "holds no target"),
        ("t.geojson", "{", "cannot be read as .geojson"),
        ("t.geojson", "[]", "is no GeoJSON FeatureCollection"),
        ("t.geojson", '{"features": [null]}', "feature 1: has no position"),
        ("t.geojson", '{"features": [{"geometry": null, "properties": null}]}', "has no position"),
    ],
)
def test_files_that_hold_no_targets(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_targets(tmp_path / name)


def test_a_ship_is_as_long_as_it_lies(tmp_path: Path) -> None:
    """Length along track, across, and unknown."""
    line = MadeLine(course_deg=40.0)
    (rows,) = survey_rows(line)
    longitude, latitude = line.target_position()
    sizes = []
    for heading in ("40", "130", ""):
        path = tmp_path / "t.csv"
        path.write_text(f"lon,lat,length_m,width_m,heading_deg\n{longitude},{latitude},20,4,{heading}")
        (box,) = target_boxes(rows, read_targets(path)[0])
        sizes.append(((box.bottom - box.top) * rows.pixel_m, (box.right - box.left) * rows.pixel_m))
    assert sizes[0] == pytest.approx((20, 4), abs=0.1)
    assert sizes[1] == pytest.approx((4, 20), abs=0.1)
    assert sizes[2] == pytest.approx((20, 20), abs=0.1)


def test_tiles_know_where_they_lie_beside_the_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, tmp_path, {"a.xtf": MadeLine(side=Side.PORT, course_deg=10.0, ground_m=30.0)})
    tiles, _ = read_tiles(tmp_path / "out")
    assert all(tile.geometry is not None for tile in tiles.tiles)
    seen = [tile for tile in tiles.tiles if len(tile.labels)]
    assert seen
    for tile in seen:
        assert tile.geometry is not None
        near_px = float(tile.boxes_xyxy_px[0, 0])
        assert tile.geometry.near_m + near_px * tile.geometry.pixel_m == pytest.approx(
            30 - LENGTH_M / 2, abs=0.2
        )
    listing = tmp_path / "out" / "geometry.csv"
    listing.write_text(listing.read_text().replace("pixel_m", "pixel"))
    with pytest.raises(DatasetError, match=r"geometry\.csv is damaged"):
        read_tiles(tmp_path / "out")
