"""What a model says where nothing lies: on simulated empty lines, and on stretches of real recordings."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from app.detector.detections import Runtime
from app.errors import SonarFileError
from app.evaluation.false_alarms import EmptyGround
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.seabed import BOTTOMS
from app.sonar.simulator.survey import simulate_survey
from app.sonar.waterfall import Side
from app.survey.contact import Contact
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions
from app.survey.result import FileReport, SurveyResult
from app.telemetry.progress import Progress

LEAST_SCORE = 0.1
"""Contacts below are not counted: a model that needs less is of no use."""
SIMULATED_PINGS = 4000
FIRST_SEED = 1_000_000
"""Far from the seeds that people train on."""
NOT_TOLD = "does not tell how much seabed it covered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of a recording on which nobody knows of a target."""

    source: str
    """File name, as `FileReport.source`."""
    side: Side
    first_ping: int
    last_ping: int
    """Inclusive."""

    def holds(self, contact: Contact) -> bool:
        """Whether a contact's middle lies on it."""
        mine = contact.source == self.source and contact.side is self.side
        return mine and self.first_ping <= contact.ping <= self.last_ping

    def area_km2(self, report: FileReport) -> float:
        """Its part of what the recording covered; 0 where the recording does not tell."""
        track = report.track
        if track is None or not report.pings:
            return 0.0
        pings = np.arange(self.first_ping, min(self.last_ping, report.pings - 1) + 1)
        reach_m = track.port_m if self.side is Side.PORT else track.starboard_m
        across_m = np.interp(pings, track.ping, reach_m)
        return float(across_m.sum()) / report.pings * track.length_m / 1e6


def read_stretches(path: Path) -> tuple[Stretch, ...]:
    """A CSV with a line of names: source, side (port or starboard), first_ping, last_ping.

    Raises:
        SonarFileError: no such file, or wrong rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            stretches = tuple(
                Stretch(
                    source=row["source"],
                    side=Side(row["side"]),
                    first_ping=int(row["first_ping"]),
                    last_ping=int(row["last_ping"]),
                )
                for row in csv.DictReader(stream)
            )
        if not stretches:
            raise ValueError("it names none")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise SonarFileError(
            f"{path} is no list of stretches ({error}); give a CSV with source, side (port, starboard), "
            "first_ping, last_ping"
        ) from error
    return stretches


def simulated_ground(
    runtime: Runtime, options: SurveyOptions, *, area_km2: float, progress: Progress, seed: int = 0
) -> EmptyGround:
    """Simulated lines over every kind of bottom, with stones and tracks and without any target."""
    covered, scores = 0.0, []
    bottoms = sorted(BOTTOMS)
    with tempfile.TemporaryDirectory(prefix="sonarstack-empty-") as folder:
        for number in count():
            plan = SurveyPlan(
                seed=FIRST_SEED + seed + number,
                lines=1,
                pings=SIMULATED_PINGS,
                bottom=bottoms[number % len(bottoms)],
                targets_per_line=0,
                ships_per_line=0,
                aircraft_per_line=0,
            )
            files = simulate_survey(plan, Path(folder), progress).files
            result = detect_survey(files, runtime, replace(options, min_score=LEAST_SCORE), progress)
            covered += result.area_km2 or 0.0
            scores += [contact.score for contact in result.contacts]
            if covered >= area_km2 or not result.area_km2:
                break
    return EmptyGround(
        name=f"simulated empty lines ({number + 1} of {SIMULATED_PINGS} pings, bottoms {', '.join(bottoms)})",
        area_km2=covered,
        scores=tuple(scores),
        least_score=LEAST_SCORE,
        labelled=True,
    )


def recorded_ground(
    files: Sequence[Path],
    runtime: Runtime,
    options: SurveyOptions,
    *,
    stretches: Sequence[Stretch] = (),
    progress: Progress,
) -> EmptyGround:
    """Real recordings, or the given stretches of them; its name tells what could not be counted, and why.

    Raises:
        SonarFileError: nothing can be read, or nothing tells how much seabed it covered.
    """
    result = detect_survey(files, runtime, replace(options, min_score=LEAST_SCORE), progress)
    # Contacts of a recording without an area count no more than the area: the rate is one over the other.
    told = {report.source: report for report in result.files if (report.area_km2 or 0.0) > 0}
    if stretches:
        counted = [s for s in stretches if s.source in told and s.area_km2(told[s.source]) > 0]
        left_out = [_why_left_out(s, told, result) for s in stretches if s not in counted]
        area_km2 = sum(s.area_km2(told[s.source]) for s in counted)
        contacts = [c for c in result.contacts if any(s.holds(c) for s in counted)]
        what = f"{len(counted)} stretches of real recordings without known targets"
        names = {s.source for s in counted}
    else:
        left_out = [f"{r.source} ({NOT_TOLD})" for r in result.files if r.source not in told]
        area_km2 = sum(report.area_km2 or 0.0 for report in told.values())
        contacts = [c for c in result.contacts if c.source in told]
        what, names = "real recordings, whole", set(told)
    without = "; left out: " + ", ".join(dict.fromkeys(left_out)) if left_out else ""
    if not area_km2 > 0:
        raise SonarFileError(
            f"no seabed to count false alarms on{without}; give recordings with positions (in metres: the --crs "
            "they lie in), and stretches by the names, sides and pings of these recordings"
        )
    return EmptyGround(
        name=f"{what} ({', '.join(sorted(names))}{without})",
        area_km2=area_km2,
        scores=tuple(contact.score for contact in contacts),
        least_score=LEAST_SCORE,
        labelled=False,
    )


def _why_left_out(stretch: Stretch, told: Mapping[str, FileReport], result: SurveyResult) -> str:
    if stretch.source in told:
        pings = f"{stretch.first_ping} to {stretch.last_ping}"
        return f"{stretch.source} {stretch.side}, pings {pings} (not recorded)"
    known = any(report.source == stretch.source for report in result.files)
    return f"{stretch.source} ({NOT_TOLD if known else 'is none of the recordings'})"
