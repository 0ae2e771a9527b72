"""One crash: a verb that is killed at one call of the API, what its user does then, and whether all promises hold."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.crash.beginnings import Beginnings
from tests.crash.promises import at_once, reaped, settled, would_be_reaped
from tests.crash.proxy import Step
from tests.crash.scenarios import BrokenError, Crash, Scenario, Stack, Then, host_died, settings_of, the_night
from tests.crash.ways import Way


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Of a crash."""

    text: str
    ok: bool
    seconds: float


def recorded(scenario: Scenario, way: Way, beginnings: Beginnings) -> list[Step]:
    """The calls of the verb when nothing is killed.

    Raises:
        BrokenError: it does not even work then.
    """
    with beginnings.begun(scenario, way) as stack:
        stack.must(scenario.verb)
        steps = stack.ground.proxy.steps
        if scenario.verb == "up":
            stack.must("destroy")
        _hold([*settled(stack.ground, gpu_pods=scenario.gpu_pods), *at_once(stack.ground)])
        return steps


def crashed(
    scenario: Scenario, way: Way, crash: Crash, beginnings: Beginnings, *, step: Step | None = None
) -> Outcome:
    """Play it; `step` is the call that is expected at the crash."""
    began = time.monotonic()
    try:
        with beginnings.begun(scenario, way) as stack:
            text = _play(stack, scenario, crash, step)
    except AssertionError as error:
        return Outcome(text=f"BROKEN {error}", ok=False, seconds=time.monotonic() - began)
    return Outcome(text=text, ok=True, seconds=time.monotonic() - began)


def _play(stack: Stack, scenario: Scenario, crash: Crash, step: Step | None) -> str:
    ground = stack.ground
    done = stack.do(scenario.verb, crash)
    if crash.at is not None and not ground.proxy.pulled:
        raise BrokenError(f"call {crash.at} never came (code {done.code}): {done.last_words}")
    if isinstance(crash.at, int) and step is not None and ground.proxy.steps[crash.at] != step:
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
    state = stack.ground.simulator.simulation.state
    lived, volumes = len(state.pods), set(state.volumes)
    _hold([*reaped(stack.ground), *at_once(stack.ground)])
    if volumes - set(state.volumes):
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
    told = stack.way.outputs(stack.ground)["pod"]["id"]
    if told != now[0]:
        raise BrokenError(f"up again tells of pod {told}, {now[0]} is the one that bills")
    stack.wait("training after up again", lambda: stack.steps_done() > before)
    stack.must("destroy")
    if then == "refused":
        return "ok refused, then home"
    return "ok adopted" if now[0] in lived else "ok rented"


def _hold(broken: Iterable[str]) -> None:
    found = list(broken)
    if found:
        raise BrokenError("; ".join(found))
