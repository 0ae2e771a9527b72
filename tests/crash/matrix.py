"""All crashes of some scenarios, played side by side, as tables: a row for each call of the API."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.crash.beginnings import Beginnings
from tests.crash.cell import Outcome, crashed, recorded
from tests.crash.ground import bare_pods
from tests.crash.proxy import Step, When
from tests.crash.scenarios import WAITING, WAITING_A_LITTLE, Crash, Scenario, Then
from tests.crash.ways import Victim, Way


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What is killed when, and what comes then."""

    victim: Victim
    when: When
    then: Then = "again"

    @property
    def title(self) -> str:
        """Over it."""
        return f"{self.victim} {self.when}" + ("" if self.then == "again" else f", then {self.then}")

    def holds(self, scenario: Scenario, step: Step) -> bool:
        """Whether the call is of interest: what bills is changed by no GET."""
        if self.then == "destroy" and scenario.verb == "destroy":
            return False  # that is the same again
        return self.then == "again" or step.method != "GET"


COLUMNS = (
    Column(victim="provider", when="before"),
    Column(victim="provider", when="after"),
    Column(victim="engine", when="before"),
    Column(victim="engine", when="after"),
    Column(victim="provider", when="after", then="reap"),
    Column(victim="provider", when="after", then="destroy"),
)
WAITS: Mapping[str, tuple[Scenario, Then]] = {
    "then up": (WAITING, "again"),
    "then destroy": (WAITING, "refused"),
    "then destroy, a night later": (WAITING_A_LITTLE, "night"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What came of crashes that belong together."""

    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Outcome | None]]
    """By their names; None was not played."""

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all that were played."""
        return [one for row in self.rows.values() for one in row if one is not None]

    def lines(self) -> list[str]:
        """For people."""
        text = [["", *self.columns]]
        text += [
            [name, *("-" if one is None else one.text for one in row)] for name, row in self.rows.items()
        ]
        widths = [max(len(line[n]) for line in text) for n in range(len(text[0]))]
        return [
            f"== {self.title}",
            *("  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip() for line in text),
        ]


class Stage:
    """Plays crashes, so many at a time.

    Args:
        ways: how the plugin is driven where it is killed, and where the engine is.
        say: takes a line for each crash.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, ways: Mapping[Victim, Way], folder: Path, say: Callable[[str], None]
    ) -> None:
        self._pool, self._ways, self._say = pool, ways, say
        self._beginnings = Beginnings(folder)

    def record(self, scenario: Scenario) -> "Future[list[Step]]":
        """The calls of its verb."""
        return self._pool.submit(recorded, scenario, self._ways["provider"], self._beginnings)

    def crash(self, scenario: Scenario, crash: Crash, step: Step | None = None) -> "Future[Outcome]":
        """One of them."""
        return self._pool.submit(self._crash, scenario, crash, step)

    def _crash(self, scenario: Scenario, crash: Crash, step: Step | None) -> Outcome:
        way = self._ways[crash.victim]
        outcome = crashed(scenario, way, crash, self._beginnings, step=step)
        where = "while the job trains" if step is None else f"{crash.when} {crash.at} {step}"
        self._say(
            f"{scenario.name}: {crash.victim} killed {where}, then {crash.then}: {outcome.text} "
            f"({outcome.seconds:.0f} s, {way.name})"
        )
        return outcome


@contextmanager
def stage(
    ways: Mapping[Victim, Way], folder: Path, *, jobs: int, say: Callable[[str], None]
) -> Iterator[Stage]:
    """What has not begun is not begun any more, once something is wrong or somebody wants no more of it."""
    pool = ThreadPoolExecutor(jobs)
    try:
        with bare_pods():
            yield Stage(pool, ways, folder, say)
            pool.shutdown()
    finally:
        pool.shutdown(cancel_futures=True)


def at_calls(
    on: Stage,
    scenarios: Sequence[Scenario],
    columns: Sequence[Column] = COLUMNS,
    rows: Callable[[Step], bool] = lambda _: True,
) -> list[Table]:
    """Each scenario is recorded, and then crashes at each of its calls that `rows` wants."""
    recordings = [on.record(one) for one in scenarios]
    begun: list[tuple[Scenario, dict[str, list[Future[Outcome] | None]]]] = []
    for scenario, recording in zip(scenarios, recordings, strict=True):
        table: dict[str, list[Future[Outcome] | None]] = {}
        for at, step in enumerate(recording.result()):
            if at >= scenario.first and rows(step):
                table[f"{at:2} {step}"] = [
                    on.crash(scenario, Crash(at=at, when=one.when, victim=one.victim, then=one.then), step)
                    if one.holds(scenario, step)
                    else None
                    for one in columns
                ]
        begun.append((scenario, table))
    return [
        Table(
            title=f"{scenario.name}: kill -9 at each call of `{scenario.verb}`",
            columns=[one.title for one in columns],
            rows={
                name: [None if one is None else one.result() for one in row] for name, row in table.items()
            },
        )
        for scenario, table in begun
    ]


def while_it_waits(on: Stage, victims: Sequence[Victim] = ("provider", "engine")) -> Table:
    """Between two calls, hours perhaps: `up` waits for the job, of which the state does not know yet."""
    begun = {
        name: [on.crash(scenario, Crash(at=None, when="after", victim=v, then=then)) for v in victims]
        for name, (scenario, then) in WAITS.items()
    }
    return Table(
        title="up, waiting for the job: kill -9 in the middle of it",
        columns=victims,
        rows={name: [one.result() for one in row] for name, row in begun.items()},
    )
