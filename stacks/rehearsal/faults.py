"""What can go wrong in a rehearsal, by name, and what must come of it."""

from dataclasses import dataclass

from infra.errors import SettingsError
from infra.runpod.simulator.run import Simulator

EVERY = 10**6


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A fault, and how many GPU pods are rented with it."""

    text: str
    gpu_pods: int = 1


TROUBLES = {
    "no_capacity": Trouble(text="the cheapest offer is sold out when it is asked for"),
    "lost_answer": Trouble(text="the answer to the create of the pod is lost"),
    "bad_host": Trouble(text="the GPU of the first host does not answer", gpu_pods=2),
    "pod_dies": Trouble(text="the host dies in the middle of the training", gpu_pods=2),
    "key_refused": Trouble(text="the pod's own key may not end it"),
}
NONE = Trouble(text="nothing goes wrong")


def trouble_of(name: str | None) -> Trouble:
    """The fault of this name.

    Raises:
        SettingsError: there is none.
    """
    if name is None:
        return NONE
    if name not in TROUBLES:
        raise SettingsError(f"--fault {name} is unknown; choose one of {', '.join(TROUBLES)}")
    return TROUBLES[name]


def arm(simulator: Simulator, name: str | None) -> None:
    """Let it happen; `pod_dies` happens later, when something is there to lose."""
    faults = simulator.faults
    if name == "no_capacity":
        faults.arm("no_capacity", method="POST", path="/v2/pods")
    elif name == "lost_answer":
        faults.arm("answer_lost", method="POST", path="/v2/pods")
    elif name == "bad_host":
        faults.arm("bad_gpu")
    elif name == "key_refused":
        faults.arm("key_refused", path="/v2/pods/", count=EVERY)
