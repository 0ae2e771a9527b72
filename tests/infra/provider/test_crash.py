"""kill -9 of the plugin at the calls that matter; all of them: python -m benchmarks.crash_matrix."""

import pytest

from infra.journal import Journal
from tests.crash.beginnings import Beginnings
from tests.crash.cell import crashed
from tests.crash.ground import bare_pods
from tests.crash.job import CHECKPOINT_STEPS
from tests.crash.promises import settled
from tests.crash.scenarios import SCENARIOS, UP, WAITING, WAITING_A_LITTLE, Crash, night_is_over
from tests.crash.ways import Plugin
from tests.sshd import missing_programs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_programs() is not None, reason=f"not installed here: {missing_programs()}"),
]
BAD_HOST, HOST_DIED, DESTROY, AFTER_THE_NIGHT = SCENARIOS[1:]


@pytest.fixture(scope="module")
def beginnings(tmp_path_factory):
    with bare_pods():
        yield Beginnings(tmp_path_factory.mktemp("crash"))


@pytest.mark.parametrize(
    ("scenario", "call", "when", "then", "outcome"),
    [
        (UP, "POST /v2/network-volumes", "after", "reap", "ok nothing billed"),
        (UP, "POST /v2/network-volumes", "after", "destroy", "ok ended"),
        (UP, "POST /v2/pods", "before", "again", "ok rented"),
        (UP, "POST /v2/pods", "after", "again", "ok adopted"),
        (UP, "POST /v2/pods", "after", "reap", "ok reaped"),
        (UP, "POST /v2/pods", "after", "destroy", "ok ended"),
        (BAD_HOST, "DELETE /v2/pods/{id}", "after", "again", "ok rented"),
        (HOST_DIED, "POST /v2/pods 2", "after", "again", "ok adopted"),
        (DESTROY, "DELETE /v2/pods/{id}", "before", "again", "ok ended"),
        (DESTROY, "DELETE /v2/network-volumes/{id}", "after", "again", "ok ended"),
        (AFTER_THE_NIGHT, "POST /v2/pods", "after", "again", "ok ended"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_killed_at_a_call(beginnings, scenario, call, when, then, outcome) -> None:
    crash = Crash(at=call, when=when, victim="provider", then=then)
    assert crashed(scenario, Plugin(), crash, beginnings).text == outcome


@pytest.mark.parametrize(
    ("scenario", "then", "outcome"),
    [
        (WAITING, "refused", "ok refused, then home"),
        (WAITING_A_LITTLE, "night", "ok refused, then home"),
    ],
)
def test_killed_while_up_waits_for_a_job_that_the_state_does_not_know(
    beginnings, scenario, then, outcome
) -> None:
    crash = Crash(at=None, when="after", victim="provider", then=then)
    assert crashed(scenario, Plugin(), crash, beginnings).text == outcome


def test_the_ordinary_night(beginnings) -> None:
    """Train, the pod ends itself, refresh, up rents nothing, destroy brings the run home through a CPU pod."""
    with beginnings.bare(AFTER_THE_NIGHT, Plugin()) as stack:
        night_is_over(stack)
        rented = len(stack.ground.simulator.meter()["pods"])
        stack.must("refresh")
        stack.must("up", "up again")
        assert stack.gpu_pods() == []
        stack.must("destroy")
        assert list(settled(stack.ground, gpu_pods=1)) == []
        names = [one["name"] for one in stack.ground.simulator.meter()["pods"]]
        assert any(name.endswith("-reader") for name in names[rented:])
        assert all(one.end_reason for one in Journal(stack.ground.leases).leases())


def test_a_promise_that_is_broken_is_seen(beginnings) -> None:
    """The checks themselves: a run that lost too much, two pods at once, a pod that still bills."""
    with beginnings.begun(DESTROY, Plugin()) as stack:
        ground = stack.ground
        broken = " ".join(settled(ground, gpu_pods=0))
        for one in ("pods still bill", "a volume still bills", "1 GPU pods were rented", "is not home"):
            assert one in broken
        stack.must("destroy")
        assert list(settled(ground, gpu_pods=1)) == []
        with (ground.folder / "ledger").open("a") as ledger:
            ledger.write(f'{{"step": {stack.steps_done() + CHECKPOINT_STEPS + 1}}}\n')
        assert "steps were lost" in " ".join(settled(ground, gpu_pods=1))
