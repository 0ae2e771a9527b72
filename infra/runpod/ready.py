"""Whether a pod can be worked on: it runs, its program speaks, its GPU answers, and SSH lets us in.

What its program says is read from the provider's log, over TLS: so the host key is known before SSH is first used.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from infra.errors import HostError
from infra.hosts.banner import wait_for_banner
from infra.hosts.keys import key_path
from infra.hosts.refusal import NoKeyError
from infra.hosts.ssh import SshHost
from infra.journal import Lease
from infra.runpod.client import RunpodClient
from infra.runpod.errors import BadHostError, RefusedError
from infra.runpod.wire import Pod

LINE = "sonarstack machine: "
LOOK_S, LOG_S = 3.0, 4.0
DEAD = ("EXITED", "ERROR", "TERMINATED")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A pod that can be worked on."""

    pod_id: str
    address: str
    host_key: str
    key_accepted: bool
    """Whether the pod may end itself with the key that the provider gave it."""
    gpus: str
    """As its own nvidia-smi names them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the pod's program has said so far; None is not yet."""

    host_key: str | None = None
    key: str | None = None
    gpus: str | None = None
    gpu_check: str | None = None

    @classmethod
    def read(cls, lines: list[str]) -> "Said":
        """The last word on each; a container that started again says all anew."""
        text = "\n".join(line.split(LINE, 1)[1] for line in lines if LINE in line)

        def last(pattern: str) -> str | None:
            found = re.findall(pattern, text, re.MULTILINE)
            return found[-1] if found else None

        return cls(
            host_key=last(r"^host key (\S+ \S+)$"),
            key=last(r"^the pod's own key is (\w+)"),
            gpus=last(r"^GPUs: (.+)$"),
            gpu_check=last(r"^GPU check: (.+)$"),
        )


def wait_ready(
    client: RunpodClient,
    lease: Lease,
    *,
    gpus: int,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    say: Callable[[str], None] = lambda _: None,
) -> Ready:
    """Stay until the pod of a lease can be worked on.

    Args:
        gpus: how many it must show.
        sleep: may raise, to react to a cancel.
        say: is told what is waited for.

    Raises:
        BadHostError: it will not be, or not in time: give it back and take another.
        RefusedError: it works, for whoever has its key.
    """
    deadline = clock() + timeout_s
    say(f"pod {lease.id}: waiting for its container")
    pod = _running(client, lease, deadline, sleep, clock)
    say(f"pod {lease.id}: runs; waiting for its host key and its GPUs")
    said = _said(client, lease, deadline, gpus, sleep, clock)
    assert said.host_key is not None
    pod = client.pod(lease.id) or pod
    if pod.ssh is None:
        raise BadHostError(f"pod {lease.id} has lost its SSH port")
    host, port, user = pod.ssh
    address = f"ssh://{user}@{host}:{port}"
    say(f"pod {lease.id}: knocking at its SSH")
    try:
        wait_for_banner(host, port, timeout_s=max(0.0, deadline - clock()), sleep=sleep)
    except HostError as error:
        raise BadHostError(f"pod {lease.id} does not speak SSH: {error}") from error
    _let_in(address, said.host_key, lease, deadline, sleep, clock)
    return Ready(
        pod_id=lease.id,
        address=address,
        host_key=said.host_key,
        key_accepted=said.key == "accepted",
        gpus=said.gpus or "none",
    )


def read_said(client: RunpodClient, pod_id: str) -> Said:
    """What a pod's program has said until now."""
    return Said.read([one.line for one in client.logs(pod_id, tail=500, timeout_s=LOG_S)])


def _running(
    client: RunpodClient,
    lease: Lease,
    deadline: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> Pod:
    status = "not there"
    while clock() < deadline:
        pod = client.pod(lease.id)
        if pod is None:
            raise BadHostError(f"pod {lease.id} is gone before it was ready")
        status = pod.status
        if status in DEAD:
            raise BadHostError(f"pod {lease.id} went to {status} before it was ready")
        if status == "RUNNING" and pod.ssh is not None:
            return pod
        sleep(LOOK_S)
    raise BadHostError(f"pod {lease.id} is still {status} and has no SSH port")


def _said(
    client: RunpodClient,
    lease: Lease,
    deadline: float,
    gpus: int,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> Said:
    said = Said()
    while clock() < deadline:
        said = read_said(client, lease.id)
        told = said.gpus if gpus else "none"
        if said.host_key and said.key and told and (said.gpu_check or told.startswith("none") or not gpus):
            if gpus and (told.startswith("none") or len(told.split(";")) < gpus):
                raise BadHostError(f"pod {lease.id} shows {told}, rented with {gpus}")
            if said.gpu_check and said.gpu_check.startswith("failed"):
                raise BadHostError(f"the GPU of pod {lease.id} does not work: {said.gpu_check}")
            return said
        sleep(LOOK_S)
    missing = "its host key" if not said.host_key else "its GPUs" if gpus and not said.gpus else "its key"
    raise BadHostError(f"pod {lease.id} runs, but its program has not told {missing}")


def _let_in(
    address: str,
    host_key: str,
    lease: Lease,
    deadline: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    host = SshHost(address, host_key=host_key, identity=str(key_path(lease.stamp)), identity_only=True)
    last = "it was never asked"
    while clock() < deadline:
        try:
            host.run(["true"], timeout_s=30.0)
            return
        except NoKeyError as error:
            # No fault of its host's: it may be training for another machine of its owner's.
            raise RefusedError(
                f"pod {lease.id} lives and was not ended, but SSH is closed to us: {error}"
            ) from error
        except HostError as error:
            last = str(error)
        sleep(LOOK_S)
    raise BadHostError(f"SSH does not let us in: {last}")
