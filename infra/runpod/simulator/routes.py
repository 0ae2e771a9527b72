"""Which request does what. Each handler is called with the lock, after its body was checked."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.runpod.simulator import bodies, catalogue_answers, control, queries
from infra.runpod.simulator.answer import Answer, Request
from infra.runpod.simulator.billing import pod_billing, volume_billing
from infra.runpod.simulator.container_log import Start, follow
from infra.runpod.simulator.faults import POD_FAULTS, Fault
from infra.runpod.simulator.pod_answer import pod_answer
from infra.runpod.simulator.pods import new_id
from infra.runpod.simulator.problems import Problem, missing
from infra.runpod.simulator.simulation import Simulation
from infra.runpod.simulator.state import PodState, RegistryState
from infra.runpod.simulator.volumes import volume_answer

LONGEST_TAIL = 5000


def list_pods(sim: Simulation, asked: Request) -> Answer:
    queries.flag(asked.query, "includeClusterPods")
    return Answer(200, {"pods": [_pod(sim, one, asked) for one in sim.pods.listed()]})


def create_pod(sim: Simulation, asked: Request) -> Answer:
    def met() -> Iterator[Fault]:
        yield from sim.faults.take("POST", "/v2/pods", POD_FAULTS)

    return Answer(201, _pod(sim, sim.pods.create(asked.fields, met()), asked))


def get_pod(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, _pod(sim, sim.pods.get(asked.id), asked))


def update_pod(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, _pod(sim, sim.pods.update(asked.id, asked.fields), asked))


def delete_pod(sim: Simulation, asked: Request) -> Answer:
    sim.pods.end(asked.id)
    return Answer(204)


def act_on_pod(sim: Simulation, asked: Request) -> Answer:
    pod = sim.pods.act(asked.id, asked.fields["action"])
    return Answer(204) if pod is None else Answer(200, _pod(sim, pod, asked))


def pod_logs(sim: Simulation, asked: Request) -> Answer:
    pod_id = sim.pods.get(asked.id).id
    source = next(iter(queries.words(asked.query, "source", ("container", "system"))), None)
    event = next((value for name, value in asked.headers.items() if name.lower() == "last-event-id"), None)
    if event is not None:
        queries.moment({"Last-Event-ID": event.partition("/")[0]}, "Last-Event-ID")
    start = Start(
        tail=queries.whole(asked.query, "tail", 100, 0, LONGEST_TAIL),
        since_s=queries.moment(asked.query, "since"),
        after_event=event,
    )
    stream = follow(
        sim.log_file(pod_id),
        start,
        source,
        simulated=sim.clock.at,
        goes_on=lambda: pod_id in sim.state.pods and not sim.closing.is_set(),
    )
    return Answer(200, stream=stream)


def _pod(sim: Simulation, pod: PodState, asked: Request) -> dict[str, Any]:
    return pod_answer(pod, sim.clock.now(), lowercase=asked.lowercase)


def list_volumes(sim: Simulation, asked: Request) -> Answer:
    found = [volume_answer(one, lowercase=asked.lowercase) for one in sim.state.volumes.values()]
    return Answer(200, {"networkVolumes": found})


def create_volume(sim: Simulation, asked: Request) -> Answer:
    return Answer(201, volume_answer(sim.volumes.create(asked.fields), lowercase=asked.lowercase))


def get_volume(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, volume_answer(sim.volumes.get(asked.id), lowercase=asked.lowercase))


def update_volume(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, volume_answer(sim.volumes.update(asked.id, asked.fields), lowercase=asked.lowercase))


def delete_volume(sim: Simulation, asked: Request) -> Answer:
    sim.volumes.delete(asked.id)
    return Answer(204)


def list_registries(sim: Simulation, _: Request) -> Answer:
    return Answer(200, {"registries": [_registry(one) for one in sim.state.registries.values()]})


def create_registry(sim: Simulation, asked: Request) -> Answer:
    made = RegistryState(id=new_id(8), **asked.fields)
    sim.state.registries[made.id] = made
    return Answer(201, _registry(made))


def get_registry(sim: Simulation, asked: Request) -> Answer:
    if asked.id not in sim.state.registries:
        raise missing("registry")
    return Answer(200, _registry(sim.state.registries[asked.id]))


def delete_registry(sim: Simulation, asked: Request) -> Answer:
    if asked.id not in sim.state.registries:
        raise missing("registry")
    if any(pod.registry == asked.id for pod in sim.state.pods.values()):
        raise Problem(400, "registry credential is in use by a pod")
    del sim.state.registries[asked.id]
    return Answer(204)


def _registry(one: RegistryState) -> dict[str, str]:
    return {"id": one.id, "name": one.name}


def get_ssh_keys(sim: Simulation, _: Request) -> Answer:
    return Answer(200, {"keys": sim.state.ssh_keys})


def put_ssh_keys(sim: Simulation, asked: Request) -> Answer:
    sim.state.ssh_keys = list(asked.fields["keys"])
    return Answer(200, {"keys": sim.state.ssh_keys})


def bill_of_pods(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, pod_billing(sim.state.pod_bills, asked.query, sim.clock.now()))


def bill_of_volumes(sim: Simulation, asked: Request) -> Answer:
    return Answer(200, volume_billing(sim.state.volume_bills, asked.query, sim.clock.now()))


Listing = Callable[[Any, Mapping[str, str]], dict[str, Any]]
One = Callable[[Any, str, Mapping[str, str]], dict[str, Any]]


def _catalogue(answer: Listing) -> Callable[[Simulation, Request], Answer]:
    return lambda sim, asked: Answer(200, answer(sim.catalogue, asked.query))


def _catalogue_item(answer: One) -> Callable[[Simulation, Request], Answer]:
    return lambda sim, asked: Answer(200, answer(sim.catalogue, asked.id, asked.query))


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One operation; `{id}` in its path is the handler's `asked.id`."""

    method: str
    path: str
    do: Callable[[Simulation, Request], Answer]
    body: bodies.Check | None = None
    own_pod: bool = False
    """A pod's own key may ask for it."""
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.path.replace("{id}", "([^/]+)")))


def _route(words: str, do: Callable[[Simulation, Request], Answer], body: bodies.Check | None = None,
           *, own_pod: bool = False) -> Route:  # fmt: skip
    method, path = words.split()
    return Route(method=method, path=path, do=do, body=body, own_pod=own_pod)


ROUTES = (
    _route("GET /v2/pods", list_pods),
    _route("POST /v2/pods", create_pod, bodies.create_pod),
    _route("GET /v2/pods/{id}", get_pod, own_pod=True),
    _route("PATCH /v2/pods/{id}", update_pod, bodies.update_pod),
    _route("DELETE /v2/pods/{id}", delete_pod, own_pod=True),
    _route("GET /v2/pods/{id}/logs", pod_logs),
    _route("POST /v2/pods/{id}/action", act_on_pod, bodies.pod_action, own_pod=True),
    _route("GET /v2/network-volumes", list_volumes),
    _route("POST /v2/network-volumes", create_volume, bodies.create_volume),
    _route("GET /v2/network-volumes/{id}", get_volume),
    _route("PATCH /v2/network-volumes/{id}", update_volume, bodies.update_volume),
    _route("DELETE /v2/network-volumes/{id}", delete_volume),
    _route("GET /v2/registries", list_registries),
    _route("POST /v2/registries", create_registry, bodies.create_registry),
    _route("GET /v2/registries/{id}", get_registry),
    _route("DELETE /v2/registries/{id}", delete_registry),
    _route("GET /v2/catalog/gpus", _catalogue(catalogue_answers.list_gpus)),
    _route("GET /v2/catalog/gpus/{id}", _catalogue_item(catalogue_answers.get_gpu)),
    _route("GET /v2/catalog/cpus", _catalogue(catalogue_answers.list_cpus)),
    _route("GET /v2/catalog/cpus/{id}", _catalogue_item(catalogue_answers.get_cpu)),
    _route("GET /v2/catalog/datacenters", _catalogue(catalogue_answers.list_data_centers)),
    _route("GET /v2/catalog/datacenters/{id}", _catalogue_item(catalogue_answers.get_data_center)),
    _route("GET /v2/account/ssh-keys", get_ssh_keys),
    _route("PUT /v2/account/ssh-keys", put_ssh_keys, bodies.ssh_keys),
    _route("GET /v2/billing/pods", bill_of_pods),
    _route("GET /v2/billing/network-volumes", bill_of_volumes),
    _route("GET /simulator/meter", control.meter),
    _route("GET /simulator/faults", control.armed),
    _route("POST /simulator/faults", control.arm, control.ANYTHING),
    _route("DELETE /simulator/faults", control.disarm),
    _route("POST /simulator/stock", control.set_stock, control.ANYTHING),
    _route("GET /simulator/requests", control.requests),
    _route("POST /simulator/pods/{id}/kill", control.kill_pod),
    _route("POST /simulator/pods/{id}/use", control.set_use, control.ANYTHING),
    _route("GET /simulator/clock", control.clock),
    _route("POST /simulator/clock", control.set_clock, control.ANYTHING),
)
NOT_SIMULATED = ("/v2/clusters", "/v2/serverless", "/v2/templates", "/v2/catalog/templates", "/v2/billing",
                 "/v2/registries/delegations")  # fmt: skip
"""In the contract, and not needed here."""


def find(method: str, path: str) -> tuple[Route, str]:
    """The operation and the id in its path.

    Raises:
        Problem: 404, 405 with what is allowed, 501 for what is in the contract and not simulated.
    """
    if any(path == one or path.startswith(f"{one}/") for one in NOT_SIMULATED) and not any(
        one.pattern.fullmatch(path) and "{id}" not in one.path for one in ROUTES
    ):
        raise Problem(501, f"the simulator does not have {path}")
    met = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(path))]
    for route, match in met:
        if route.method == method:
            return route, match.group(1) if match.groups() else ""
    if met:
        allowed = ", ".join(sorted({route.method for route, _ in met}))
        raise Problem(405, "The requested method is not allowed for this path.", headers={"Allow": allowed})
    raise missing("path")
