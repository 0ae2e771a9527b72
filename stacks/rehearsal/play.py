"""The acts of a rehearsal: plan, up, watch, the pod's own end, refresh, up again, destroy, receipt."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.errors import InfraError, RunHomeError
from infra.journal import Journal
from infra.machines import open_work
from infra.runpod.simulator.run import Simulator
from infra.runs.manifest import MANIFEST, differences, read_manifest
from infra.runs.status import RunStatus
from stacks.rehearsal.faults import arm, trouble_of
from stacks.rehearsal.ground import STACK, Ground
from stacks.rehearsal.look import follow, release
from stacks.rehearsal.promises import Promises
from stacks.rehearsal.service import Told
from stacks.rehearsal.ways import Way

ENDS_ITSELF_WITHIN_S = 60.0
PODS = "/v2/pods/"
WHOLE = "the run is home, whole and complete"


@dataclass(kw_only=True)
class Play:
    """One rehearsal; `perform` plays it."""

    ground: Ground
    simulator: Simulator
    way: Way
    told: Told
    fault: str | None
    say: Callable[[str], None]
    promises: Promises = field(init=False)
    outputs: dict[str, Any] = field(init=False, default_factory=dict)
    receipt: dict[str, Any] = field(init=False, default_factory=dict)
    seen_step: int = field(init=False, default=0)
    """Before the host died."""

    def __post_init__(self) -> None:
        self.promises = Promises(self.say)

    def perform(self) -> None:
        """All acts in turn; an act that cannot go on leads to the end, where the pod and the volume go."""
        worst_usd = self._plan()
        arm(self.simulator, self.fault)
        try:
            if self._do("up") and self._train():
                self._own_end()
                self._nothing_new()
        except InfraError as error:
            self.promises.hold("every look at it succeeds", False, str(error))
        self._destroy()
        self._settle(worst_usd)

    def _act(self, text: str) -> None:
        self.say("")
        self.say(f"== {text}")

    def _plan(self) -> float:
        from stacks.verbs.plan import make_plan

        self._act("plan: what it consists of and can cost at most")
        plan = make_plan(STACK, [], folder=self.ground.folder)
        for one in plan.resources:
            self.say(f"{one.name}  {one.token.rsplit(':', 1)[-1]}")
        for line in plan.money.lines():
            self.say(line)
        return float(plan.money.capped_lease_usd)

    def _do(self, verb: Literal["up", "refresh", "destroy"], *, what: str = "") -> bool:
        self._act(f"{what or verb}: {self.way.name.partition(' (')[0]}")
        lines: list[str] = []

        def say(line: str) -> None:
            lines.append(line)
            self.say(f"  {line}")

        began = time.monotonic()
        code = self.way.run(verb, say)
        self.told.look()
        done = self.promises.hold(
            f"{what or verb} succeeds", code == 0, f"code {code} after {time.monotonic() - began:.0f} s"
        )
        if done and verb == "up":
            self.outputs = self.way.outputs()
            if self.fault == "key_refused":
                loud = any("CANNOT END ITSELF" in line for line in lines)
                self.promises.hold(
                    "up says loudly that the pod cannot end itself", loud, "said" if loud else "silent"
                )
        return done

    def _train(self) -> bool:
        self._act("watch: the job from outside")
        if self.fault == "pod_dies" and not self._lose_the_pod():
            return False
        status, run = follow(self.outputs, self.say)
        if self.fault == "pod_dies":
            self._went_on()
        made = len(self._gpu_pods())
        trouble = trouble_of(self.fault)
        self.promises.hold(
            f"GPU pods rented: {trouble.gpu_pods}",
            made == trouble.gpu_pods,
            f"{made}, ${self._usd_per_h('pods'):.4f} an hour are running",
        )
        return self.promises.hold(
            "the job ends by itself, done",
            status.outcome == "done",
            f"{status.state}: {status.outcome or status.reason or 'no end in sight'}, step {run.step}",
        )

    def _lose_the_pod(self) -> bool:
        before, run = follow(self.outputs, self.say, until=self._has_checkpoint)
        if before.over:
            return self.promises.hold("the host dies in the middle", False, "the job was over before")
        self.seen_step = run.step
        # Asked of the service: a bad host may have been exchanged since the stack's outputs were told.
        for pod in [one["id"] for one in self.simulator.meter()["pods"] if one["usd_per_h"]]:
            self.simulator.kill_pod(pod)
            self.say(f"SIMULATED Runpod: the host of pod {pod} died")
        if not self._do("up", what="up, after the host died"):
            return False
        self._act("watch: the job on its second pod")
        return True

    def _went_on(self) -> None:
        log = open_work(self.outputs["where"]).read_log().decode(errors="replace")
        steps = re.findall(r"resumed from .*step (\d+)", log)
        self.promises.hold(
            "the run goes on from its checkpoint",
            bool(steps) and int(steps[-1]) > 0,
            f"at step {steps[-1]}; the host died when step {self.seen_step} was the last seen"
            if steps
            else "it began anew",
        )

    def _has_checkpoint(self, run: RunStatus) -> bool:
        from infra.machines import open_machine

        told = self.outputs["run"]
        return (
            run.step > 0
            and open_machine(told["host"]).read(f"{told['path']}/checkpoints/latest.json") is not None
        )

    def _own_end(self) -> None:
        self._act("the pod's own end")
        if self.fault == "key_refused":
            self.say("it may not: it bills until destroy, or `reap`, ends it")
            return
        if release(self.outputs):
            self.say("the run lies on the volume: the pod is told that it need not linger")
        deadline = time.monotonic() + ENDS_ITSELF_WITHIN_S
        while self._usd_per_h("pods") and time.monotonic() < deadline:
            time.sleep(0.5)
        ended = self.told.counted("DELETE", PODS, by="pod", status=204)
        self.promises.hold(
            "the pod ends itself with its own key",
            bool(ended) and not self._usd_per_h("pods"),
            f"asked {ended} times, ${self._usd_per_h('pods'):g} an hour are running",
        )

    def _nothing_new(self) -> None:
        before = self._made()
        if self._do("refresh") and self._do("up", what="up again"):
            self.promises.hold(
                "up again rents nothing", self._made() == before, f"{self._made() - before} more rented"
            )

    def _destroy(self) -> None:
        began = self._made()
        if self._do("destroy"):
            readers = self._made() - began
            how = f"through {readers} CPU pod on the volume" if readers else "from the pod itself"
            self._verify(how)

    def _verify(self, how: str) -> None:
        home = self.ground.home
        if not (home / MANIFEST).is_file():
            self.promises.hold(WHOLE, False, f"no {MANIFEST} in {home}")
            return
        try:
            complete, files = read_manifest(home)
            wrong = differences(home)
        except RunHomeError as error:
            self.promises.hold(WHOLE, False, str(error))
            return
        found = f"{len(files)} files as their manifest says, {how}" if not wrong else "; ".join(wrong[:3])
        self.promises.hold(WHOLE, complete and not wrong, found)

    def _settle(self, worst_usd: float) -> None:
        self._act("receipt")
        meter = self.simulator.meter()
        left = self._usd_per_h("pods") + self._usd_per_h("volumes")
        here = len(self.simulator.simulation.state.pods), len(self.simulator.simulation.state.volumes)
        self.promises.hold(
            "nothing is left that bills",
            not left and here == (0, 0),
            f"SIMULATED {here[0]} pods, {here[1]} volumes, ${left:g} an hour",
        )
        living = [one.name for one in Journal().leases() if one.ended_at is None]
        self.promises.hold("no lease is left open here", not living, ", ".join(living) or "none")
        billed, clock = float(meter["total_usd"]), self.simulator.simulation.clock.speed
        self.promises.hold(
            "the bill is within the worst case",
            billed <= worst_usd * max(1.0, clock),
            f"SIMULATED ${billed:.4f} of ${worst_usd:.2f}"
            + (f", by a clock that ran {clock:g} times as fast" if clock != 1 else ""),
        )
        self._tell_receipt(worst_usd, billed)

    def _tell_receipt(self, worst_usd: float, billed: float) -> None:
        from infra.naming import stamp
        from infra.runpod.account import open_account
        from infra.runpod.receipt import receipt_of

        with open_account() as renter:
            receipt = receipt_of(
                renter, stack=STACK, stamp=stamp("sonarstack", STACK), worst_case_usd=worst_usd
            )
        for line in receipt.lines():
            self.say(line)
        asked = self.told.by_method()
        self.say(
            f"SIMULATED meter: ${billed:.4f} in all; requests: {', '.join(f'{n} {m}' for m, n in asked.items())}"
        )
        self.receipt = {**receipt.as_dict(), "metered_usd": billed, "requests": asked}

    def _usd_per_h(self, kind: str) -> float:
        return float(sum(one["usd_per_h"] for one in self.simulator.meter()[kind]))

    def _made(self) -> int:
        """Pods rented so far, readers of the volume among them."""
        return len(self.simulator.meter()["pods"])

    def _gpu_pods(self) -> list[str]:
        return [one["id"] for one in self.simulator.meter()["pods"] if not one["name"].endswith("-reader")]
