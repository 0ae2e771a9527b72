"""/simulator/*: for tests and rehearsals, never part of Runpod's API. Asks for no key; loopback only."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from infra.runpod.simulator import queries
from infra.runpod.simulator.answer import Answer, Request
from infra.runpod.simulator.bodies import Check
from infra.runpod.simulator.clock import rfc3339
from infra.runpod.simulator.problems import Problem
from infra.runpod.simulator.simulation import REMEMBERED_REQUESTS, Simulation


def _anything(value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: want object"


ANYTHING: Check = _anything
"""These bodies are ours; each handler checks its own."""


def meter(sim: Simulation, _: Request) -> Answer:
    """What runs and what it has cost."""
    return Answer(200, sim.meter())


def armed(sim: Simulation, _: Request) -> Answer:
    """Faults that are left."""
    return Answer(200, {"faults": sim.faults.armed()})


def arm(sim: Simulation, asked: Request) -> Answer:
    """Arm one; fields as of `Fault`."""
    try:
        fault = sim.faults.arm(**asked.fields)
    except (TypeError, ValueError) as error:
        raise Problem(400, str(error)) from error
    return Answer(201, asdict(fault))


def disarm(sim: Simulation, _: Request) -> Answer:
    """Disarm all."""
    sim.faults.clear()
    return Answer(204)


def set_stock(sim: Simulation, asked: Request) -> Answer:
    """{units, id?, dataCenter?, cloud?} sets stock, {id, cloud, usdPerH} a price, {reset: true} the samples again."""
    fields = asked.fields
    if fields.get("reset") is True:
        sim.state.stock.clear()
        sim.state.prices.clear()
        return Answer(200, {"reset": True})
    if "usdPerH" in fields:
        usd, id_ = _number(fields, "usdPerH"), str(fields.get("id"))
        sim.catalogue.set_price(usd, id_=id_, cloud=str(fields.get("cloud", "SECURE")))
        return Answer(200, {"id": id_, "usdPerH": usd})
    places = sim.catalogue.set_stock(
        int(_number(fields, "units")),
        id_=fields.get("id"),
        data_center=fields.get("dataCenter"),
        cloud=fields.get("cloud"),
    )
    if not places:
        raise Problem(400, "no such id, data center and cloud in the catalogue")
    return Answer(200, {"places": places})


def requests(sim: Simulation, asked: Request) -> Answer:
    """The last ones, oldest first; `last` says how many."""
    last = queries.whole(asked.query, "last", REMEMBERED_REQUESTS, 1)
    return Answer(200, {"requests": [asdict(one) for one in list(sim.seen)[-last:]]})


def kill_pod(sim: Simulation, asked: Request) -> Answer:
    """Its host dies: the pod vanishes with all that ran."""
    sim.pods.end(asked.id)
    return Answer(204)


def set_use(sim: Simulation, asked: Request) -> Answer:
    """{gpu, memory} in percent: shown from now on instead of what is measured; {measured: true} ends that."""
    pod = sim.pods.get(asked.id)
    pod.use_given = asked.fields.get("measured") is not True
    if pod.use_given:
        pod.gpu_percent = int(_number(asked.fields, "gpu"))
        pod.gpu_memory_percent = int(_number(asked.fields, "memory"))
        sim.show_use(pod)
    return Answer(200, {"gpu": pod.gpu_percent, "memory": pod.gpu_memory_percent})


def clock(sim: Simulation, _: Request) -> Answer:
    """The simulated time and its speed."""
    return Answer(200, {"now": rfc3339(sim.clock.now()), "speed": sim.clock.speed})


def set_clock(sim: Simulation, asked: Request) -> Answer:
    """{speed?, advance_s?}."""
    try:
        if "advance_s" in asked.fields:
            sim.clock.advance(_number(asked.fields, "advance_s"))
        if "speed" in asked.fields:
            sim.clock.run(_number(asked.fields, "speed"))
    except ValueError as error:
        raise Problem(400, str(error)) from error
    return clock(sim, asked)


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Problem(400, f"{name} must be a number")
    return float(value)
