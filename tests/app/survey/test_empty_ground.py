"""Alarms where nothing lies: simulated lines, recordings, and stretches of them."""

from pathlib import Path

import numpy as np
import pytest

from app.detector.detections import Detections
from app.errors import ModelError, SonarFileError
from app.evaluation.false_alarms import EmptyGround
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.survey import simulate_survey
from app.sonar.waterfall import PositionUnits, Side
from app.survey import detect, empty_ground
from app.survey.empty_ground import Stretch, read_stretches, recorded_ground, simulated_ground
from app.survey.known_alarms import keep_alarms, threshold_for
from app.survey.options import SurveyOptions
from app.survey.result import FileReport, Track
from app.telemetry.progress import Silent
from tests.app.survey.made_line import MadeLine, opened_as
from tests.app.survey.runtimes import FunctionRuntime, detections

PLAN = SurveyPlan(seed=8, lines=1, pings=400, samples=512, targets_per_line=0, ships_per_line=0)
OPTIONS = SurveyOptions(coarse_factor=1)


def nothing(_image: np.ndarray) -> Detections:
    return detections([], [], [])


def one_alarm(image: np.ndarray) -> Detections:
    return detections([[40.0, 40.0, 60.0, 60.0]], [0.6], [0])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_survey(PLAN, tmp_path_factory.mktemp("empty")).files[0]


def test_simulated_ground_is_as_large_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_ground, "SIMULATED_PINGS", 300)
    line_km2 = 300 * PLAN.ping_spacing_m * 2 * PLAN.ground_range_m / 1e6
    ground = simulated_ground(FunctionRuntime(nothing), OPTIONS, area_km2=1.5 * line_km2, progress=Silent())
    assert ground.labelled
    assert ground.area_km2 == pytest.approx(2 * line_km2, rel=0.05)
    assert ground.scores == ()
    assert "simulated empty lines (2 of 300 pings" in ground.name


def test_recordings_are_unlabelled_and_count_whole(recording: Path) -> None:
    ground = recorded_ground([recording], FunctionRuntime(one_alarm), OPTIONS, progress=Silent())
    assert not ground.labelled
    assert len(ground.scores) >= 2  # one on either side
    assert ground.area_km2 == pytest.approx(
        400 * PLAN.ping_spacing_m * 2 * PLAN.ground_range_m / 1e6, rel=0.05
    )
    assert ground.operating_point(1.0).threshold > 0.6


def test_only_the_stretches_count(recording: Path, tmp_path: Path) -> None:
    listing = tmp_path / "stretches.csv"
    listing.write_text(f"source,side,first_ping,last_ping\n{recording.name},port,200,399\n")
    stretches = read_stretches(listing)
    assert stretches == (Stretch(source=recording.name, side=Side.PORT, first_ping=200, last_ping=399),)
    runtime = FunctionRuntime(one_alarm)
    whole = recorded_ground([recording], runtime, OPTIONS, progress=Silent())
    part = recorded_ground([recording], runtime, OPTIONS, stretches=stretches, progress=Silent())
    assert part.area_km2 == pytest.approx(whole.area_km2 / 4, rel=0.05)
    assert len(part.scores) < len(whole.scores)


def test_a_stretch_is_as_wide_as_the_range_was_there() -> None:
    ping = np.arange(0.0, 1000.0, 10.0)
    track = Track(
        ping=ping,
        x=ping / 10,
        y=ping * 0,
        units=PositionUnits.METRES,
        heading_deg=None,
        port_m=np.where(ping < 500, 50.0, 100.0),
        starboard_m=np.zeros(100),
        length_m=100.0,
    )
    report = FileReport(source="a.xtf", path="a.xtf", pings=1000, track=track)
    areas = [
        Stretch(source="a.xtf", side=side, first_ping=first, last_ping=last).area_km2(report)
        for side, first, last in (
            *((Side.PORT, first, last) for first, last in ((0, 399), (600, 999), (0, 999), (303, 304))),
            (Side.STARBOARD, 0, 999),
        )
    ]
    assert areas == pytest.approx([40 * 50e-6, 40 * 100e-6, 100 * 75e-6, 0.2 * 50e-6, 0], rel=0.02)


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A line with positions and one without."""
    lines = MadeLine(pings=400), MadeLine(pings=400, units=None, source="nowhere.xtf")
    monkeypatch.setattr(detect, "open_recording", opened_as(*lines))
    return [Path(line.source) for line in lines]


def test_contacts_of_a_recording_without_an_area_are_no_false_alarms(surveyed: list[Path]) -> None:
    runtime = FunctionRuntime(one_alarm)
    alone = recorded_ground(surveyed[:1], runtime, OPTIONS, progress=Silent())
    both = recorded_ground(surveyed, runtime, OPTIONS, progress=Silent())
    assert (both.area_km2, both.scores) == (alone.area_km2, alone.scores)
    assert "left out" not in alone.name
    assert both.name.endswith("(made.xtf; left out: nowhere.xtf (does not tell how much seabed it covered))")


def test_recordings_of_which_none_tells_its_area_are_told(surveyed: list[Path]) -> None:
    with pytest.raises(
        SonarFileError, match=r"left out: nowhere.xtf .*; give recordings with positions"
    ) as caught:
        recorded_ground(surveyed[1:], FunctionRuntime(one_alarm), OPTIONS, progress=Silent())
    assert "--range-m" not in str(caught.value)


def test_stretches_that_are_nowhere_are_told_and_not_counted(surveyed: list[Path]) -> None:
    good, *bad = (
        Stretch(source=source, side=Side.PORT, first_ping=first, last_ping=first + 99)
        for source, first in (("made.xtf", 0), ("mad.xtf", 0), ("nowhere.xtf", 0), ("made.xtf", 4000))
    )
    runtime = FunctionRuntime(one_alarm)
    alone = recorded_ground(surveyed, runtime, OPTIONS, stretches=[good], progress=Silent())
    all_of_them = recorded_ground(surveyed, runtime, OPTIONS, stretches=[good, *bad], progress=Silent())
    assert (all_of_them.area_km2, all_of_them.scores) == (alone.area_km2, alone.scores)
    assert all_of_them.name.startswith(
        "1 stretches of real recordings without known targets (made.xtf; left out: "
    )
    for told in (
        "mad.xtf (is none of the recordings)",
        "nowhere.xtf (does not tell how much seabed it covered)",
        "made.xtf port, pings 4000 to 4099 (not recorded)",
    ):
        assert told in all_of_them.name
    with pytest.raises(SonarFileError, match=r"mad.xtf \(is none of the recordings\).*; give recordings"):
        recorded_ground(surveyed, runtime, OPTIONS, stretches=bad, progress=Silent())


def test_wrong_lists_of_stretches_are_told(tmp_path: Path) -> None:
    listing = tmp_path / "stretches.csv"
    listing.write_text("source,side,first_ping,last_ping\na.xtf,left,0,9\n")
    with pytest.raises(SonarFileError, match="give a CSV with source, side"):
        read_stretches(listing)


@pytest.mark.parametrize("text", ["", "hello\n", "source,side,first_ping,last_ping\n"])
def test_a_list_that_names_no_stretch_is_refused(tmp_path: Path, text: str) -> None:
    """Without one whole recordings would count, targets and all."""
    listing = tmp_path / "stretches.csv"
    listing.write_text(text)
    with pytest.raises(SonarFileError, match=r"is no list of stretches \(it names none\); give a CSV"):
        read_stretches(listing)


def test_what_was_found_is_kept_with_the_weights(tmp_path: Path) -> None:
    model = tmp_path / "best.pt"
    model.write_bytes(b"weights")
    ground = EmptyGround(name="lines", area_km2=4.0, scores=(0.3, 0.8), least_score=0.1, labelled=True)
    with pytest.raises(ModelError, match=r"nobody knows .* --keep"):
        threshold_for(model, 0.25)
    keep_alarms(model, [ground])
    assert threshold_for(model, 0.25) == ground.operating_point(0.25)
    model.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="other weights"):
        threshold_for(model, 0.25)
