"""All crashes of some scenarios, played side by side, as a table: a row for each call of the API."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.crash.cell import Crash, Outcome, Scenario, crashed, recorded
from tests.crash.ground import bare_pods, copy_project
from tests.crash.proxy import Step, When
from tests.crash.ways import Victim, Way

Column = tuple[Victim, When]
COLUMNS: tuple[Column, ...] = (
    ("provider", "before"),
    ("provider", "after"),
    ("engine", "before"),
    ("engine", "after"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """What came of a scenario's crashes."""

    scenario: Scenario
    steps: Sequence[Step]
    outcomes: Mapping[tuple[int, Column], Outcome]
    seconds: float

    def lines(self) -> list[str]:
        """For people."""
        head = ["", "call", *(f"{victim} {when}" for victim, when in COLUMNS)]
        body = [
            [str(row), str(step), *(self._text(row, column) for column in COLUMNS)]
            for row, step in enumerate(self.steps)
            if any((row, column) in self.outcomes for column in COLUMNS)
        ]
        widths = [max(len(line[n]) for line in [head, *body]) for n in range(len(head))]
        shown = [
            "  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip()
            for line in [head, *body]
        ]
        return [f"== {self.scenario.name}: kill -9 at each call of `{self.scenario.verb}`", *shown]

    def _text(self, row: int, column: Column) -> str:
        outcome = self.outcomes.get((row, column))
        return "-" if outcome is None else outcome.text


def play(
    scenarios: Sequence[Scenario],
    ways: Mapping[Victim, Way],
    folder: Path,
    *,
    jobs: int,
    say: Callable[[str], None],
    columns: Sequence[Column] = COLUMNS,
    rows: Callable[[Scenario, Sequence[Step]], Sequence[int]] | None = None,
) -> list[Matrix]:
    """Record each scenario, then play all of its crashes.

    Args:
        ways: how the plugin is driven where it is killed, and where the engine is.
        jobs: crashes at a time.
        rows: which calls; all of them if None.
    """
    project = copy_project(folder / "project")
    numbers = count()

    def room() -> Path:
        return folder / f"cell-{next(numbers)}"

    with bare_pods(), _pool(jobs) as pool:
        began = time.monotonic()
        recording = [pool.submit(recorded, one, ways["provider"], room(), project) for one in scenarios]
        found = []
        for scenario, steps in zip(scenarios, [one.result() for one in recording], strict=True):
            chosen = range(len(steps)) if rows is None else rows(scenario, steps)
            played = {}
            for row in chosen:
                for column in columns:
                    crash = Crash(at=row, when=column[1], victim=column[0])
                    played[row, column] = pool.submit(
                        _play, scenario, ways[column[0]], crash, room(), project, steps[row], say
                    )
            found.append((scenario, steps, played))
        return [
            Matrix(
                scenario=scenario,
                steps=steps,
                outcomes={at: one.result() for at, one in played.items()},
                seconds=time.monotonic() - began,
            )
            for scenario, steps, played in found
        ]


@contextmanager
def _pool(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """What has not begun is not begun any more, once something is wrong or somebody wants no more of it."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _play(
    scenario: Scenario,
    way: Way,
    crash: Crash,
    folder: Path,
    project: Path,
    step: Step,
    say: Callable[[str], None],
) -> Outcome:
    outcome = crashed(scenario, way, crash, folder, project, step=step)
    say(
        f"{scenario.name}: {crash.victim} killed {crash.when} {crash.at} {step}: {outcome.text} "
        f"({outcome.seconds:.0f} s, {way.name})"
    )
    return outcome
