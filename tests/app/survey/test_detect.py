"""A whole survey through the detector, against lines whose truth is known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from app.detector.detections import Runtime
from app.errors import SonarFileError
from app.report.html import html_text
from app.report.survey_map import survey_maps
from app.report.write import write_report
from app.sonar.blocks import join_waterfalls
from app.sonar.recording import Defect
from app.sonar.waterfall import PositionUnits, Side, Waterfall
from app.survey import detect
from app.survey.options import SurveyOptions
from app.survey.result import SurveyResult
from app.survey.window import Window
from tests.app.survey import made_line
from tests.app.survey.made_line import WGS84, Block, MadeLine, opened_as
from tests.app.survey.runtimes import BlobRuntime

BLOCKS = tuple(
    Block(side=side, along_m=20 + 18 * n + shift, ground_m=ground, height_m=height, width_m=width)
    for side, shift in ((Side.PORT, 9), (Side.STARBOARD, 0))
    for n, (ground, height, width) in enumerate(
        [(8, 0.5, 1), (15, 1, 1), (22, 1.5, 2), (30, 0.8, 0.8), (36, 0.6, 1.5), (12, 2, 1)]
    )
)
LINE = MadeLine(blocks_on_bottom=BLOCKS)


def detected(
    monkeypatch: pytest.MonkeyPatch,
    lines: Sequence[MadeLine],
    options: SurveyOptions | None = None,
    runtime: Runtime | None = None,
) -> SurveyResult:
    """The contacts of lines in memory."""
    monkeypatch.setattr(detect, "open_recording", opened_as(*lines))
    runtime = runtime or BlobRuntime(threshold=190, least_px=20)
    return detect.detect_survey([Path(line.source) for line in lines], runtime, options)


@dataclass(frozen=True, kw_only=True)
class _JumpsAway(MadeLine):
    """For a second of fixes it says to be where its grid has no places."""

    def waterfall(self, first: int, last: int) -> Waterfall:
        waterfall = super().waterfall(first, last)
        away = np.abs(np.arange(first, last) - 712) <= 12
        assert waterfall.navigation.x is not None
        x = np.where(away, 9.9e9, waterfall.navigation.x)
        return replace(waterfall, navigation=replace(waterfall.navigation, x=x))


@dataclass(frozen=True, kw_only=True)
class _RangeSwitched(MadeLine):
    """Recorded at 50 m, for most of the line; from ping 850 on at 100 m with as many samples."""

    def waterfall(self, first: int, last: int) -> Waterfall:
        """See `MadeLine.waterfall`."""
        if last <= 850 or first >= 850:
            line = MadeLine(blocks_on_bottom=self.blocks_on_bottom, range_m=50.0 if last <= 850 else 100.0)
            return line.waterfall(first, last)
        return join_waterfalls(self.waterfall(first, 850), self.waterfall(850, last))


@dataclass(frozen=True, kw_only=True)
class _LosesPositions(MadeLine):
    """Some pings have none; blocks of which no ping has any lack the fields."""

    lost: range

    def waterfall(self, first: int, last: int) -> Waterfall:
        """See `MadeLine.waterfall`."""
        waterfall = super().waterfall(first, last)
        nav = waterfall.navigation
        assert nav.x is not None
        assert nav.y is not None
        lost = np.isin(np.arange(first, last), self.lost)
        if lost.all():
            return replace(waterfall, navigation=replace(nav, x=None, y=None, units=None, heading_deg=None))
        x, y = np.where(lost, np.nan, nav.x), np.where(lost, np.nan, nav.y)
        return replace(waterfall, navigation=replace(nav, x=x, y=y))


def test_contacts_are_placed_to_the_metre_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    contacts = detected(monkeypatch, [LINE]).contacts
    assert len(contacts) == len(BLOCKS)
    for block in BLOCKS:
        distances = [WGS84.inv(*LINE.place(block), c.longitude, c.latitude)[2] for c in contacts]
        contact = contacts[int(np.argmin(distances))]
        assert min(distances) < 0.5
        assert contact.side is block.side
        assert contact.height_m == pytest.approx(block.height_m, abs=0.15)
        assert contact.along_m == pytest.approx(block.length_m, abs=0.3)
        assert contact.ping == pytest.approx(block.along_m / LINE.spacing_m, abs=2)
        begin, shadow, _ = (v / LINE.range_m * LINE.samples for v in LINE.slant_extent_m(block))
        assert contact.sample_range == (pytest.approx(begin, abs=3), pytest.approx(shadow, abs=3))


@pytest.mark.parametrize("block_pings", [256, 700, 5000])
@pytest.mark.parametrize("tile_px", [256, 640])
def test_neither_blocks_nor_tiles_change_what_is_found(
    monkeypatch: pytest.MonkeyPatch, block_pings: int, tile_px: int
) -> None:
    options = SurveyOptions(block_pings=block_pings, tile_px=tile_px)
    contacts = detected(monkeypatch, [LINE], options).contacts
    assert len(contacts) == len(BLOCKS)
    found = sorted((c.side, c.ping) for c in contacts)
    expected = sorted((b.side, round(b.along_m / LINE.spacing_m)) for b in BLOCKS)
    for (side, ping), (true_side, true_ping) in zip(found, expected, strict=True):
        assert side is true_side
        assert abs(ping - true_ping) <= 2


@pytest.mark.parametrize("coarse_factor", [1, 3])
def test_an_object_longer_than_a_tile_is_one_contact(
    monkeypatch: pytest.MonkeyPatch, coarse_factor: int
) -> None:
    ship = Block(side=Side.STARBOARD, along_m=70.0, ground_m=20.0, length_m=15.0, width_m=4.0, height_m=1.0)
    options = SurveyOptions(tile_px=128, overlap_px=32, coarse_factor=coarse_factor)
    runtime = BlobRuntime(threshold=170, least_px=100, ship_px=101)
    (contact,) = detected(monkeypatch, [replace(LINE, blocks_on_bottom=(ship,))], options, runtime).contacts
    assert contact.label == "ship"
    assert contact.along_m == pytest.approx(15.0, abs=0.5)
    assert contact.height_m == pytest.approx(1.0, abs=0.2)


def test_wide_sides_are_split_and_objects_on_the_seam_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    options = SurveyOptions(tile_px=256, widest_tile_px=192, overlap_px=64)
    assert len(detected(monkeypatch, [LINE], options).contacts) == len(BLOCKS)


def test_positions_in_an_unnamed_grid_stay_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    line = replace(LINE, units=PositionUnits.METRES)
    result = detected(monkeypatch, [line])
    assert all(c.longitude is None and c.latitude is None for c in result.contacts)
    assert any("--crs EPSG" in text for text in result.files[0].warnings)
    block = BLOCKS[0]
    contact = min(
        result.contacts, key=lambda c: abs(c.ping - block.along_m * 10) + 1000 * (c.side != block.side)
    )
    x, y = line.positions(np.array([block.along_m]))
    bearing = np.radians(line.heading_deg - 90)
    assert contact.grid_x_m == pytest.approx(x[0] + block.ground_m * np.sin(bearing), abs=0.5)
    assert contact.grid_y_m == pytest.approx(y[0] + block.ground_m * np.cos(bearing), abs=0.5)


def test_a_named_grid_gives_degrees(monkeypatch: pytest.MonkeyPatch) -> None:
    line = replace(LINE, units=PositionUnits.METRES)
    result = detected(monkeypatch, [line], SurveyOptions(crs="EPSG:32619"))
    assert all(c.longitude is not None and c.grid_x_m is not None for c in result.contacts)
    assert not any("--crs" in text for text in result.files[0].warnings)
    track = result.files[0].track
    assert track is not None
    assert track.units is PositionUnits.DEGREES


def test_positions_outside_the_grid_are_told_and_cost_the_other_files_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = replace(LINE, units=PositionUnits.METRES, grid_origin_m=(9.9e9, 4e9), source="far.xtf")
    good = replace(LINE, units=PositionUnits.METRES)
    result = detected(monkeypatch, [far, good], SurveyOptions(crs="EPSG:32619"))
    there, here = result.files
    assert there.track is None
    assert there.area_km2 is None
    assert any("outside the grid EPSG:32619" in text for text in there.warnings)
    assert not any("outside the grid" in text for text in here.warnings)
    assert write_report(result, tmp_path).html.is_file()
    assert len(json.loads((tmp_path / "contacts.geojson").read_text())["features"]) == 2 * len(BLOCKS)


def test_files_of_one_name_keep_their_contacts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"day1": LINE, "day2": replace(LINE, blocks_on_bottom=BLOCKS[:3])}
    monkeypatch.setattr(detect, "open_recording", lambda path, **_options: lines[path.parent.name])
    runtime = BlobRuntime(threshold=190, least_px=20)
    result = detect.detect_survey([Path("day1/made.xtf"), Path("day2/made.xtf")], runtime)
    assert [file.source for file in result.files] == ["day1/made.xtf", "day2/made.xtf"]
    assert [sum(c.source == f.source for c in result.contacts) for f in result.files] == [len(BLOCKS), 3]
    (area,) = survey_maps(result)
    assert [line.source for line in area.lines] == ["day1/made.xtf", "day2/made.xtf"]
    assert html_text(result).count("</rect></a>") == len(BLOCKS) + 3


def test_a_stretch_outside_the_grid_is_no_part_of_the_track(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _JumpsAway(blocks_on_bottom=BLOCKS, units=PositionUnits.METRES)
    result = detected(monkeypatch, [line], SurveyOptions(crs="EPSG:32619", block_pings=500))
    (report,) = result.files
    assert report.track is not None
    assert np.isfinite([report.track.x, report.track.y]).all()
    assert report.track.length_m == pytest.approx(150, abs=2)
    assert any("outside the grid" in text for text in report.warnings)
    assert html_text(result)


def test_without_positions_sizes_need_a_ping_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    line = replace(LINE, units=None)
    blind = detected(monkeypatch, [line])
    assert all(c.along_m is None and c.longitude is None for c in blind.contacts)
    assert any("--ping-spacing-m" in text for text in blind.files[0].warnings)
    told = detected(monkeypatch, [line], SurveyOptions(ping_spacing_m=0.1))
    assert len(told.contacts) == len(BLOCKS)
    assert told.contacts[0].along_m == pytest.approx(2.0, abs=0.3)


def test_contacts_in_a_gap_of_positions_over_blocks_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _LosesPositions(blocks_on_bottom=BLOCKS, lost=range(430, 1050))
    result = detected(monkeypatch, [line], SurveyOptions(block_pings=256))
    assert len(result.contacts) == len(BLOCKS)
    for block in BLOCKS:
        off_m = [WGS84.inv(*line.place(block), c.longitude, c.latitude)[2] for c in result.contacts]
        assert min(off_m) < 0.5
    warnings = result.files[0].warnings
    assert "256 pings without position were interpolated" in warnings
    assert not any("not on the map" in text for text in warnings)


def test_contacts_far_from_every_position_are_not_put_at_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _LosesPositions(blocks_on_bottom=BLOCKS, lost=range(700, 1500))
    result = detected(monkeypatch, [line], SurveyOptions(block_pings=512))
    assert len(result.contacts) == len(BLOCKS)
    for contact in result.contacts:
        assert (contact.longitude is None) == (contact.latitude is None) == (contact.ping > 764 + 16)
    (text,) = (text for text in result.files[0].warnings if "not on the map" in text)
    assert text.startswith("736 of 1,500 pings have no position, nor any before and after them near enough")


def test_sizes_do_not_depend_on_how_far_ahead_blocks_are_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pings have no position, and the next ones tell the distance between pings."""
    monkeypatch.setattr("app.sonar.position_gaps.LONGEST_GAP_PINGS", 0)
    line = _LosesPositions(blocks_on_bottom=BLOCKS, lost=range(512))
    answers = []
    for at_once in (False, True):
        monkeypatch.setattr(
            detect, "ahead", lambda blocks, depth, a=at_once: iter(list(blocks)) if a else blocks
        )
        contacts = detected(monkeypatch, [line], SurveyOptions(block_pings=512)).contacts
        answers.append([(contact.ping, contact.along_m) for contact in contacts])
    assert len(answers[0]) == len(BLOCKS)
    assert answers[0] == answers[1]
    assert all(along_m == pytest.approx(2.0, abs=0.25) for _, along_m in answers[0])


def test_one_bad_file_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.xtf").write_text("no sonar here")
    monkeypatch.setattr(detect, "open_recording", _real_or(LINE))
    result = detect.detect_survey([tmp_path / "bad.xtf", Path("made.xtf")], BlobRuntime(threshold=190))
    bad, good = result.files
    assert bad.error is not None
    assert bad.pings == 0
    assert good.error is None
    assert len(result.contacts) == len(BLOCKS)


def test_if_no_file_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    for name in ("a.xtf", "b.xtf"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SonarFileError, match=r"a\.xtf.* \(and 1 more"):
        detect.detect_survey([tmp_path / "a.xtf", tmp_path / "b.xtf"], BlobRuntime())
    with pytest.raises(SonarFileError, match="give at least one"):
        detect.detect_survey([], BlobRuntime())


def test_a_disk_that_fails_on_the_way_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    line = replace(LINE, fail_at_ping=1000, defects=(Defect(offset_bytes=99, what="packet cut"),))
    result = detected(monkeypatch, [line], SurveyOptions(block_pings=500))
    (report,) = result.files
    assert "Input/output error" in str(report.error)
    assert report.defects == ((99, "packet cut"),)
    assert 0 < report.pings <= 1000
    # The recording ends at ping 1000, in the middle of the list.
    assert 0 < len(result.contacts) == report.contacts < len(BLOCKS)


def test_a_range_setting_changed_on_the_way_starts_a_new_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoRanges(MadeLine):
        def blocks(self, *, pings: int = 2048, pair: int | None = None):  # type: ignore[no-untyped-def]
            yield self.waterfall(0, 750)
            yield replace(self, range_m=80.0).waterfall(750, 1500)

    line = TwoRanges(blocks_on_bottom=BLOCKS)
    contacts = detected(monkeypatch, [line]).contacts
    for block in BLOCKS:
        if abs(block.along_m - 75) > 3:
            distances = [WGS84.inv(*LINE.place(block), c.longitude, c.latitude)[2] for c in contacts]
            assert min(distances) < 0.6


def test_what_lies_beyond_the_first_range_is_found() -> None:
    far = tuple(
        Block(side=Side.STARBOARD, along_m=along_m, ground_m=ground_m, width_m=2.0, length_m=3.0)
        for along_m, ground_m in ((90, 60), (105, 70), (120, 80), (135, 90))
    )
    line = _RangeSwitched(blocks_on_bottom=far, pings=1500)
    result = detect.detect_survey([line], BlobRuntime(threshold=190, least_px=20))
    for block in far:
        off_m = [WGS84.inv(*line.place(block), c.longitude, c.latitude)[2] for c in result.contacts]
        assert min(off_m) < 0.5
    assert len(result.contacts) == len(far)
    track = result.files[0].track
    assert track is not None
    for reach_m in (track.port_m, track.starboard_m):
        assert reach_m[track.ping < 850] == pytest.approx(np.sqrt(50.0**2 - 8.0**2), abs=0.1)
        assert reach_m[track.ping >= 850] == pytest.approx(np.sqrt(100.0**2 - 8.0**2), abs=0.1)


def test_contacts_across_the_180th_meridian_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    # One block lies abeam of the meridian.
    monkeypatch.setattr(made_line, "START", (179.99913, 48.0))
    line = replace(LINE, heading_deg=90.0)
    result = detected(monkeypatch, [line])
    for block in BLOCKS:
        distances = [WGS84.inv(*line.place(block), c.longitude, c.latitude)[2] for c in result.contacts]
        assert min(distances) < 0.5
    longitudes = [contact.longitude or 0 for contact in result.contacts]
    assert min(longitudes) < -179.99
    assert max(longitudes) > 179.99
    assert "contacts" in html_text(result)


def test_the_report_on_a_file_tells_what_was_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    result = detected(monkeypatch, [LINE])
    (report,) = result.files
    assert report.track is not None
    assert report.track.length_m == pytest.approx(149.9, abs=1)
    assert report.area_km2 == pytest.approx(149.9 * 2 * np.sqrt(50**2 - 8**2) / 1e6, rel=0.02)
    assert result.length_km == pytest.approx(0.15, abs=0.01)
    assert (report.pings, report.contacts, report.altitude_source) == (1500, 12, "file")
    assert (report.range_m, report.frequency_khz) == (50.0, 455.0)
    assert [c.identifier for c in result.contacts] == [f"C{n:04d}" for n in range(1, 13)]
    assert set(result.stage_s) == {"read", "correct", "network", "wait for network", "merge and measure"}


@pytest.mark.parametrize(("offset_deg", "warned"), [(18.0, True), (-3.0, False)])
def test_a_heading_that_never_follows_the_track_is_mentioned(
    monkeypatch: pytest.MonkeyPatch, offset_deg: float, warned: bool
) -> None:
    class Crabbing(MadeLine):
        def waterfall(self, first: int, last: int) -> Waterfall:
            made = MadeLine.waterfall(self, first, last)
            turned = np.full(made.pings, (self.heading_deg + offset_deg) % 360)
            return replace(made, navigation=replace(made.navigation, heading_deg=turned))

    (report,) = detected(monkeypatch, [Crabbing(pings=400)]).files
    assert any("heading differs from the track by +18 degrees" in text for text in report.warnings) is warned


def test_sixteen_bit_samples_give_the_same_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(detected(monkeypatch, [replace(LINE, dtype=np.uint16)]).contacts) == len(BLOCKS)


def test_thumbnails_show_the_object_in_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    for contact in detected(monkeypatch, [LINE]).contacts:
        left, top, right, bottom = contact.thumbnail_box_xyxy_px
        height, width = contact.thumbnail.shape
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        inside = contact.thumbnail[top:bottom, left:right].mean()
        assert inside > 1.5 * np.median(contact.thumbnail)


def _real_or(line: MadeLine) -> object:
    from app.sonar.recording import open_recording

    def either(path: Path, **options: object) -> object:
        return line if path.name == line.source else open_recording(path)

    return either


@pytest.mark.parametrize("pings", [1, 2, 5])
def test_a_recording_of_a_few_pings_is_detected(monkeypatch: pytest.MonkeyPatch, pings: int) -> None:
    (report,) = detected(monkeypatch, [MadeLine(pings=pings)]).files
    assert report.error is None
    assert report.pings == pings
    assert report.preview is not None


def test_one_channel_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    class PortOnly(MadeLine):
        def waterfall(self, first: int, last: int) -> Waterfall:
            return replace(MadeLine.waterfall(self, first, last), starboard_PS=None)

    result = detected(monkeypatch, [PortOnly(blocks_on_bottom=BLOCKS)])
    assert {c.side for c in result.contacts} == {Side.PORT}
    assert len(result.contacts) == len(BLOCKS) // 2
    both = detected(monkeypatch, [LINE]).area_km2
    assert result.area_km2 == pytest.approx((both or 0) / 2)
    preview = result.files[0].preview
    assert preview is not None
    assert preview.nadir_px == preview.image_HW.shape[1]


def test_samples_that_are_no_numbers_do_not_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gaps(MadeLine):
        def waterfall(self, first: int, last: int) -> Waterfall:
            made = MadeLine.waterfall(self, first, last)
            assert made.port_PS is not None
            port = made.port_PS.astype(np.float32)
            port[50:60] = np.nan
            port[:, 700] = np.inf
            return replace(made, port_PS=port)

    result = detected(monkeypatch, [Gaps(blocks_on_bottom=BLOCKS)])
    assert result.files[0].error is None
    assert sum(c.side is Side.PORT for c in result.contacts) == len(BLOCKS) // 2


def test_a_recording_without_range_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRange(MadeLine):
        def waterfall(self, first: int, last: int) -> Waterfall:
            made = MadeLine.waterfall(self, first, last)
            return replace(made, slant_range_m=np.full(made.pings, np.nan))

    result = detected(monkeypatch, [NoRange(source="blind.xtf"), LINE])
    assert "--range-m" in str(result.files[0].error)
    assert len(result.contacts) == len(BLOCKS)


@pytest.mark.slow
def test_workers_and_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = detected(monkeypatch, [LINE], SurveyOptions(tile_px=256, batch_size=1))
    four = detected(monkeypatch, [LINE], SurveyOptions(tile_px=256, workers=4))
    assert [(c.ping, c.side, c.longitude) for c in one.contacts] == [
        (c.ping, c.side, c.longitude) for c in four.contacts
    ]


def test_memory_does_not_grow_with_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows held at once: what the tiles still to come need, and no more."""
    held: list[int] = []
    forget = Window.forget_before

    def watched(self: Window, ping: float) -> None:
        forget(self, ping)
        held.append(sum(block.strip.rows for block in self._blocks))

    monkeypatch.setattr(Window, "forget_before", watched)
    options = SurveyOptions(tile_px=128, overlap_px=32, block_pings=128)
    detected(monkeypatch, [MadeLine(pings=6000, samples=256)], options)
    assert max(held) == max(held[: len(held) // 3])
    assert max(held) < 1000
