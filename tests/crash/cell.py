"""One crash: a verb that is killed at one call of the API, what its user does then, and whether all promises hold."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tests.crash.ground import Ground, ground
from tests.crash.promises import at_once, reaped, settled, would_be_reaped
from tests.crash.proxy import Plug, Step, When
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

    at: int | None
    """Of the verb's steps, from 0; None: in the middle of the job that `up` waits for."""
    when: When
    victim: Victim
    then: Then = "again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Of a crash."""

    text: str
    ok: bool
    seconds: float


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
    Scenario(name="up, after the host died", verb="up", before=host_died, gpu_pods=2),
    Scenario(name="destroy, in the middle of the job", verb="destroy", before=trains),
    Scenario(name="destroy, after the pod has ended", verb="destroy", before=night_is_over, steps=SHORT),
)


def recorded(scenario: Scenario, way: Way, folder: Path, project: Path) -> list[Step]:
    """The calls of the verb when nothing is killed.

    Raises:
        BrokenError: it does not even work then.
    """
    with _stack(scenario, way, folder, project) as stack:
        scenario.before(stack)
        stack.must(scenario.verb)
        steps = stack.ground.proxy.steps
        if scenario.verb == "up":
            stack.must("destroy")
        _hold([*settled(stack.ground, gpu_pods=scenario.gpu_pods), *at_once(stack.ground)])
        return steps


def crashed(
    scenario: Scenario, way: Way, crash: Crash, folder: Path, project: Path, *, step: Step | None = None
) -> Outcome:
    """Play it; `step` is the call that is expected at the crash."""
    began = time.monotonic()
    try:
        with _stack(scenario, way, folder, project) as stack:
            scenario.before(stack)
            text = _play(stack, scenario, crash, step)
    except AssertionError as error:
        return Outcome(text=f"BROKEN {error}", ok=False, seconds=time.monotonic() - began)
    return Outcome(text=text, ok=True, seconds=time.monotonic() - began)


def _play(stack: Stack, scenario: Scenario, crash: Crash, step: Step | None) -> str:
    ground = stack.ground
    done = stack.do(scenario.verb, crash)
    if crash.at is not None and not ground.proxy.pulled:
        raise BrokenError(f"call {crash.at} never came (code {done.code}): {done.last_words}")
    if crash.at is not None and step is not None and ground.proxy.steps[crash.at] != step:
        raise BrokenError(f"call {crash.at} was {ground.proxy.steps[crash.at]} and not {step}")
    if not done.code:
        raise BrokenError(f"{scenario.verb} says that it succeeded")
    ground.proxy.arm(None)
    _hold(would_be_reaped(ground))
    if crash.then == "reap":
        return _reaped(stack)
    if crash.victim == "engine":
        stack.way.after_crash(ground)
    if crash.at is None:
        ground.write_settings(**settings_of(scenario, wait=False))
    text = _mended(stack, scenario, crash.then)
    given_up = crash.then == "destroy"
    wanted = None if given_up else scenario.gpu_pods
    torn = given_up and scenario.before is host_died
    _hold([*settled(ground, gpu_pods=wanted, torn=torn), *at_once(ground)])
    return text


def _reaped(stack: Stack) -> str:
    """Nobody comes back before the lease is over."""
    lived, volumes = stack.gpu_pods(), set(stack.ground.simulator.simulation.state.volumes)
    _hold([*reaped(stack.ground), *at_once(stack.ground)])
    if volumes - set(stack.ground.simulator.simulation.state.volumes):
        raise BrokenError("reap removed a volume")
    return "ok reaped" if lived else "ok nothing billed"


def _mended(stack: Stack, scenario: Scenario, then: Then) -> str:
    """Verb again, and in the end a destroy; what became of the pod."""
    if then == "night":
        the_night(stack)
    if then in ("refused", "night"):
        stack.refused("destroy", "was never brought home")
    if then == "destroy" or scenario.verb == "destroy":
        stack.must("destroy", "destroy then")
        return "ok ended"
    lived = stack.gpu_pods()
    stack.must("up", "up again")
    now, before = stack.gpu_pods(), stack.steps_done()
    if then == "night":
        if now:
            raise BrokenError("up again rented a pod, the job was over")
        stack.must("destroy")
        return "ok refused, then home"
    if len(now) != 1:
        raise BrokenError(f"{len(now)} GPU pods after up again")
    stack.wait("training after up again", lambda: stack.steps_done() > before)
    stack.must("destroy")
    if then == "refused":
        return "ok refused, then home"
    return "ok adopted" if now[0] in lived else "ok rented"


def settings_of(scenario: Scenario, **others: object) -> dict[str, object]:
    """Of its stack."""
    return {"trainArguments": json.dumps(["--epochs", str(scenario.steps)]), **scenario.settings, **others}


def _hold(broken: Iterable[str]) -> None:
    found = list(broken)
    if found:
        raise BrokenError("; ".join(found))


@contextmanager
def _stack(scenario: Scenario, way: Way, folder: Path, project: Path) -> Iterator[Stack]:
    with ground(folder, project, **settings_of(scenario)) as made:
        way.prepare(made)
        yield Stack(ground=made, way=way)
