"""Stacks between two verbs, and what was before the verb that is killed."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.crash.ground import Ground
from tests.crash.proxy import Plug, When
from tests.crash.ways import Done, Running, Verb, Victim, Way

Then = Literal["again", "reap", "destroy", "refused", "night"]
"""What its user does: the same again; nothing, so that `reap` does; destroy instead, which has to work; destroy
instead, which has to refuse, and then the same again; that, a night later."""
LONG, SHORT, SOME = 100_000, 12, 15
"""Steps of the stand-in job: for ever, over at once; so many that a checkpoint was made."""
SOON_S = 60.0


class BrokenError(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """When and what is killed."""

    at: int | str | None
    """See `Plug.at`; None: while the job trains that `up` waits for."""
    when: When
    victim: Victim
    then: Then = "again"


@dataclass(kw_only=True)
class Stack:
    """A stack between two verbs."""

    ground: Ground
    way: Way

    def do(self, verb: Verb, crash: Crash | None = None) -> Done:
        """Run it to its end, or into the crash."""
        running: list[Running] = []
        plug = None
        if crash is not None and crash.at is not None:
            plug = Plug(at=crash.at, when=crash.when, kill=lambda pid: running[0].kill(crash.victim, pid))
        self.ground.proxy.arm(plug)
        running.append(Running(self.way, verb, self.ground))
        if crash is not None and crash.at is None:
            self.wait("training", lambda: self.steps_done() > SOME)
            running[0].kill(crash.victim, running[0].plugin())
        return running[0].wait()

    def refused(self, verb: Verb, because: str) -> None:
        """Run it; it has to refuse, and to leave everything as it is."""
        before = self.ground.simulator.simulation.state
        there = set(before.pods), set(before.volumes)
        done = self.do(verb)
        if not done.code or because not in done.text:
            raise BrokenError(f"{verb} was not refused (code {done.code}): {done.last_words}")
        if there != (set(before.pods), set(before.volumes)):
            raise BrokenError(f"{verb} was refused and ended something all the same")

    def must(self, verb: Verb, what: str = "") -> None:
        """Run it; it has to succeed."""
        done = self.do(verb)
        if done.code:
            raise BrokenError(f"{what or verb} failed: {done.last_words}")

    def wait(self, what: str, until: Callable[[], bool]) -> None:
        """A little."""
        deadline = time.monotonic() + SOON_S
        while not until():
            if time.monotonic() > deadline:
                raise BrokenError(f"{what} did not come within {SOON_S:g} s")
            time.sleep(0.05)

    def steps_done(self) -> int:
        """Of the job, so far."""
        return max((one["step"] for one in self.ground.told() if "step" in one), default=0)

    def gpu_pods(self) -> list[str]:
        """Ids of those that live."""
        simulation = self.ground.simulator.simulation
        with simulation.lock:
            return [pod.id for pod in simulation.state.pods.values() if pod.gpu_id is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What was before the verb that is killed."""

    name: str
    verb: Verb
    before: Callable[[Stack], None]
    steps: int = LONG
    """Of the job."""
    gpu_pods: int = 1
    """That are needed in all."""
    first: int = 0
    """Its calls before this one are those of `up`, which are played there."""
    settings: Mapping[str, object] = field(default_factory=dict)
    empty: bool = False
    """No pod lives before the verb: it can be kept as files, and begun again and again."""


def nothing(_: Stack) -> None:
    """The stack was never up."""


def trains(stack: Stack) -> None:
    """Up, and in the middle of its job."""
    stack.must("up")
    stack.wait("training", lambda: stack.steps_done() > SOME)


def host_died(stack: Stack) -> None:
    """Its pod vanished in the middle of the job."""
    trains(stack)
    stack.ground.simulator.kill_pod(stack.gpu_pods()[0])


def first_host_is_bad(stack: Stack) -> None:
    """The first pod that will be rented has a GPU that does not answer."""
    stack.ground.simulator.faults.arm("bad_gpu")


def night_is_over(stack: Stack) -> None:
    """The job is done, and its pod has ended itself."""
    stack.must("up")
    the_night(stack)


def the_night(stack: Stack) -> None:
    """The job comes to its end, and its pod ends itself."""
    stack.wait("the job's end", lambda: any("ended_at" in one for one in stack.ground.told()))
    volumes = stack.ground.folder / "account" / "volumes"
    for job in volumes.glob("*/*/job"):
        (job / "released").touch()
    stack.wait("the pod's own end", lambda: not stack.gpu_pods())


UP = Scenario(name="up", verb="up", before=nothing)
WAITING = Scenario(name="up, waiting for the job", verb="up", before=nothing, settings={"wait": True})
WAITING_A_LITTLE = replace(WAITING, steps=6 * SHORT)
SCENARIOS = (
    UP,
    Scenario(name="up, the first host is bad", verb="up", before=first_host_is_bad, gpu_pods=2, first=9),
    Scenario(name="up, after the host died", verb="up", before=host_died, gpu_pods=2, empty=True),
    Scenario(name="destroy, in the middle of the job", verb="destroy", before=trains),
    Scenario(
        name="destroy, after the pod has ended", verb="destroy", before=night_is_over, steps=SHORT, empty=True
    ),
)


def settings_of(scenario: Scenario, **others: object) -> dict[str, object]:
    """Of its stack."""
    return {"trainArguments": json.dumps(["--epochs", str(scenario.steps)]), **scenario.settings, **others}
