"""The whole account with its clock and machines, under one lock, kept in one file."""

import secrets
import sys
import threading
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.runpod.simulator import launch
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.catalogue import Catalogue
from infra.runpod.simulator.clock import Clock, rfc3339
from infra.runpod.simulator.faults import Faults
from infra.runpod.simulator.lifecycle import Lifecycle
from infra.runpod.simulator.pods import Pods
from infra.runpod.simulator.quota import Quota
from infra.runpod.simulator.settings import Settings
from infra.runpod.simulator.state import PodState, State
from infra.runpod.simulator.volumes import Volumes

TICK_S = 0.05
REMEMBERED_REQUESTS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request that came, without its key."""

    method: str
    path: str
    status: int
    """0: it got no answer."""
    by: str
    """account, pod ID, or nobody."""


class Simulation:
    """Everything but the wire.

    Args:
        keys: of the account; an empty one takes those of the state, or makes one.
    """

    def __init__(self, settings: Settings, keys: tuple[str, ...] = ()) -> None:
        self.settings = settings
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.allowed.mkdir(parents=True, exist_ok=True)
        self._file = settings.folder / "state.json"
        self.state = State.load(self._file)
        self.state.keys = list(keys) or self.state.keys or [f"rpa_SIMULATED{secrets.token_hex(12).upper()}"]
        if settings.balance_usd is not None:
            self.state.balance_usd = settings.balance_usd
        self.clock = Clock(settings.speed, self.state.anchors)
        self.state.anchors = self.clock.anchors
        self.faults = Faults()
        self.catalogue = Catalogue(self.state, self.clock, seed=settings.seed, moving=settings.moving)
        self.pods = Pods(settings, self.state, self.clock, self.catalogue)
        self.volumes = Volumes(settings.folder / "volumes", self.state, self.clock)
        self._lifecycle = Lifecycle(settings, self.state, self.clock, self.pods)
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.seen: deque[Seen] = deque(maxlen=REMEMBERED_REQUESTS)
        self.failures: list[str] = []
        """Tracebacks of the simulator's own errors: none should be there."""
        self._quotas: dict[str, Quota] = {}
        self._thread = threading.Thread(target=self._run, name="simulated Runpod", daemon=True)

    def start(self, address: str) -> None:
        """Let time go on; pods are told this address."""
        self._lifecycle.address = address
        self.save()
        self._thread.start()

    def close(self) -> None:
        """Stop time and end the pods' processes; the pods stay in the account."""
        self.closing.set()
        self._thread.join()
        with self.lock:
            for pod_id in self.state.pods:
                self.pods.processes.kill(pod_id)
            self.save()
            self.pods.processes.close()

    def tick(self) -> None:
        """Bring all up to this moment; call it with the lock."""
        if self._lifecycle.tick():
            self.save()

    def save(self) -> None:
        """Call it with the lock."""
        self.state.save(self._file)

    def quota(self, key: str) -> Quota:
        """Of this key."""
        return self._quotas.setdefault(key, Quota(self.settings.requests_per_minute))

    @follows("pod-key-dies")
    def pod_of_key(self, key: str) -> str | None:
        """The pod whose own key it is."""
        return next(
            (pod.id for pod in self.state.pods.values() if secrets.compare_digest(pod.own_key, key)), None
        )

    def meter(self) -> dict[str, Any]:
        """What runs and what it has cost, in simulated time."""
        with self.lock:
            self.tick()
            now = self.clock.now()
            bills = {"pods": self.state.pod_bills, "volumes": self.state.volume_bills}
            answer: dict[str, Any] = {
                kind: [
                    {
                        "id": bill.owner,
                        "name": bill.name,
                        "usd_per_h": bill.usd_per_h(),
                        "total_usd": bill.total_usd(now),
                    }
                    for bill in some.values()
                ]
                for kind, some in bills.items()
            }
            return {
                "now": rfc3339(now),
                "running_usd_per_h": sum(one["usd_per_h"] for one in answer["pods"]),
                "volumes_usd_per_h": sum(one["usd_per_h"] for one in answer["volumes"]),
                "total_usd": self.pods.spent_usd(now),
                **answer,
            }

    def show_use(self, pod: PodState) -> None:
        """Let the pod's nvidia-smi tell it too."""
        launch.write_gpu(pod, self.pods.processes.prepare(pod.id))

    def failed(self) -> None:
        """Note the error that is being handled; it is the simulator's own."""
        self.failures.append(traceback.format_exc())
        sys.stderr.write("".join(f"SIMULATED error: {line}\n" for line in self.failures[-1].splitlines()))

    def log_file(self, pod_id: str) -> Path:
        """Of this pod."""
        return self.pods.processes.folder(pod_id) / "log.jsonl"

    def _run(self) -> None:
        while not self.closing.wait(TICK_S):
            try:
                with self.lock:
                    self.tick()
            except Exception:  # noqa: BLE001 time must go on; the error is told and kept
                self.failed()
