"""kill -9 of Pulumi's engine, its plugin with it, at the calls that matter; all: python -m benchmarks.crash_matrix."""

import pytest

from tests.crash.beginnings import Beginnings
from tests.crash.cell import crashed
from tests.crash.ground import bare_pods
from tests.crash.promises import settled
from tests.crash.scenarios import SCENARIOS, UP, WAITING, Crash, night_is_over
from tests.crash.ways import Engine
from tests.engine.stack import MARKS
from tests.sshd import missing_programs

pytestmark = [
    *MARKS,
    pytest.mark.skipif(missing_programs() is not None, reason=f"not installed here: {missing_programs()}"),
]
_, HOST_DIED, DESTROY, AFTER_THE_NIGHT = SCENARIOS[1:]


@pytest.fixture(scope="module")
def beginnings(tmp_path_factory):
    with bare_pods():
        yield Beginnings(tmp_path_factory.mktemp("crash"))


@pytest.mark.parametrize(
    ("scenario", "at", "then", "outcome"),
    [
        (UP, "POST /v2/network-volumes", "destroy", "ok ended"),
        (UP, "POST /v2/pods", "again", "ok adopted"),
        (UP, "POST /v2/pods", "destroy", "ok ended"),
        (HOST_DIED, "POST /v2/pods 2", "again", "ok adopted"),
        (DESTROY, "DELETE /v2/pods/{id}", "again", "ok ended"),
        (WAITING, None, "refused", "ok refused, then home"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_killed_with_its_plugin(beginnings, scenario, at, then, outcome) -> None:
    crash = Crash(at=at, when="after", victim="engine", then=then)
    assert crashed(scenario, Engine(), crash, beginnings).text == outcome


def test_the_ordinary_night(beginnings) -> None:
    """Train, the pod ends itself, refresh, up rents nothing, destroy brings the run home through a CPU pod."""
    with beginnings.bare(AFTER_THE_NIGHT, Engine()) as stack:
        night_is_over(stack)
        rented = len(stack.ground.simulator.meter()["pods"])
        stack.must("refresh")
        stack.must("up", "up again")
        assert stack.gpu_pods() == []
        stack.must("destroy")
        assert list(settled(stack.ground, gpu_pods=1)) == []
        names = [one["name"] for one in stack.ground.simulator.meter()["pods"]]
        assert any(name.endswith("-reader") for name in names[rented:])
