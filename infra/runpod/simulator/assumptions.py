"""What the simulator does beyond the contract: from Runpod's documents, or assumed. `--assumptions` lists it.

The contract is Runpod's OpenAPI document of 2026-08-18; what it states itself is not listed here.
"""

from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

Source = Literal["docs", "assumption"]
Function = TypeVar("Function", bound=Callable[..., object])

BEHAVIOURS: dict[str, tuple[Source, str]] = {
    "no-capacity": (
        "docs",
        "no stock is a 400 known by its words alone (createPod; docs.runpod.io, migration skill of 2026-08-18)",
    ),
    "data-centers-enforced": (
        "docs",
        "dataCenterIds are called preferred and are enforced (runpod-plugins-official, 2026-08-20)",
    ),
    "lowercase-data-center": (
        "docs",
        "a data centre in lower case is taken (dstack's Runpod backend); it is answered in upper case",
    ),
    "volume-needs-secure": (
        "docs",
        "a network volume asks for the secure cloud and its own data centre: 400",
    ),
    "volume-data-centers": ("docs", "a data centre without volumes is a 400 whose detail lists those with"),
    "env-at-most-50": (
        "docs",
        "more than 50 variables are refused (environment-variables); assumed to be a 400",
    ),
    "start-without-stock": (
        "docs",
        "start of a stopped pod fails where its host is full: 400 in the old words",
    ),
    "disk-prices": (
        "docs",
        "container disk 0.10 USD/GB/month, persistent 0.10 running and 0.20 stopped, network volume 0.07 up to "
        "1000 GB and 0.05 above (pods/pricing); a month is assumed to have 730 hours",
    ),
    "balance-stops-pods": (
        "docs",
        "at a balance of 0 pods stop, and those without a network volume are terminated (pods/pricing)",
    ),
    "pod-variables": ("docs", "RUNPOD_* in the container, its own key among them (environment-variables)"),
    "high-performance-price": ("assumption", "a high-performance volume costs 0.14 USD/GB/month"),
    "unknown-gpu": ("assumption", "a GPU or CPU id that the catalogue lacks is a 400 that names it"),
    "unknown-reference": (
        "assumption",
        "an unknown volume or registry in a pod is a 404, as an unknown template is",
    ),
    "unknown-data-center": (
        "assumption",
        "a data centre that does not exist has no capacity, at create of a pod",
    ),
    "cpu-not-community": (
        "assumption",
        "CPU pods on the community cloud are a 400: the catalogue has no price",
    ),
    "scheduler": ("assumption", "without a wish the data centre with the most stock is taken"),
    "pod-key-rights": (
        "assumption",
        "the pod's own key may look at and end its own pod, nothing else (403); `--pod-keys refused` forbids all",
    ),
    "pod-key-dies": ("assumption", "the pod's own key is a wrong key (401) once the pod is gone"),
    "ports-form": ("assumption", "a port that is not NUMBER/tcp, NUMBER/http or NUMBER/udp is a 400"),
    "cost-without-disk": ("assumption", "a pod's `cost` is its compute; disk is billed beside it"),
    "bills-from-create": ("assumption", "a pod bills from its creation, also before it runs and in ERROR"),
    "price-fixed-at-rent": ("assumption", "a pod keeps the price of the hour in which it was rented"),
    "container-restarts": (
        "assumption",
        "a container whose first process ends is started again while the pod exists, its disk kept",
    ),
    "disk-wiped": ("assumption", "restart, stop and an edit of a running pod empty the container disk"),
    "terminate-is-kill": (
        "assumption",
        "terminate kills at once; stop and restart send SIGTERM and wait first",
    ),
    "locked-pods": (
        "assumption",
        "a locked pod refuses stop, restart and edits with 409; it can be terminated",
    ),
    "secrets-hidden": (
        "assumption",
        "PUBLIC_KEY and JUPYTER_PASSWORD, where injected, are not in the pod's `env`",
    ),
    "volume-in-use": ("assumption", "a network volume that a pod has cannot be deleted: 400"),
    "volume-shared": ("assumption", "several pods may have one network volume at a time"),
    "no-ssh-proxy": ("assumption", "ssh.proxy is null: there is no proxy in front of the simulator"),
    "ssh-direct": (
        "assumption",
        "ssh.direct is this machine's loopback and user, once the pod runs with 22/tcp",
    ),
    "gpu-use": ("assumption", "GPU use is the pod's CPU time, since there is no GPU: one busy core is 100 %"),
    "images-are-this-machine": (
        "assumption",
        "an image's programs are this machine's, also in containers; one without args runs --image-command, or the "
        "machine's program",
    ),
    "nothing-is-installed": (
        "assumption",
        "a pod cannot install packages: its apt-get and apt refuse, since they would change this machine",
    ),
    "gpu-is-a-stand-in": (
        "assumption",
        "nvidia-smi names the rented GPU, and a stand-in for torch answers the machine's question whether it works; "
        "no program can compute on it",
    ),
    "paths-are-links": (
        "assumption",
        "where pods are processes, a mount path is a link on this machine, and must lie in the allowed folder: 400 "
        "elsewhere; of two pods with one path on their own disks the newer has it; two volumes at one path are a 400",
    ),
    "mounts-of-containers": (
        "assumption",
        "where pods are containers, a volume can be mounted anywhere but over the pod's programs: 400",
    ),
    "containers-end-with-the-simulator": (
        "assumption",
        "a container ends when the simulator is killed, and is made again by the next one; processes live on",
    ),
    "stock-and-prices": (
        "assumption",
        "stock and prices are samples and no quotes; --moving lets them drift",
    ),
    "logs-resume": ("assumption", "`since` includes its moment, Last-Event-ID excludes its event"),
    "unknown-json": ("assumption", "a body that is no JSON is a 400"),
    "billing-buckets": ("assumption", "billing has a record only for a bucket in which something was billed"),
    "error-words": ("assumption", "the wording of refusals, where no document has it"),
}
WHERE: dict[str, list[str]] = {}
"""Behaviour to the functions that follow it; filled as the modules are imported."""


def follows(*names: str) -> Callable[[Function], Function]:
    """Mark a function with the behaviours it follows.

    Raises:
        KeyError: no such behaviour in the table.
    """

    def mark(function: Function) -> Function:
        for name in names:
            if name not in BEHAVIOURS:
                raise KeyError(f"{name} is not in BEHAVIOURS; write it down there first")
            WHERE.setdefault(name, []).append(f"{function.__module__}.{function.__qualname__}")
        return function

    return mark


def listing() -> Iterator[str]:
    """A line each: where it comes from, what, and where it stands in the code."""
    for name, (source, text) in sorted(BEHAVIOURS.items(), key=lambda item: (item[1][0], item[0])):
        places = ", ".join(place.removeprefix("infra.runpod.simulator.") for place in WHERE.get(name, ()))
        yield f"{source}: {name}: {text} [{places or 'nowhere'}]"
