"""Pods: made, edited, acted upon, ended."""

import os
import secrets
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from infra.runpod.simulator import launch, placement
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.catalogue import Catalogue, cpu_of, gpu_of
from infra.runpod.simulator.clock import Clock
from infra.runpod.simulator.faults import Fault
from infra.runpod.simulator.meter import Bill, pod_rates
from infra.runpod.simulator.pod_answer import ACTIONS
from infra.runpod.simulator.pod_kinds import processes_of
from infra.runpod.simulator.problems import HOST_FULL, Problem, missing
from infra.runpod.simulator.settings import Settings
from infra.runpod.simulator.state import PodState, State

RESETS = ("image", "args", "disk", "ports", "env", "registry", "mounts")
"""An edit of one of these resets a running pod (UpdatePodRequest; docs.runpod.io pods/manage-pods)."""


def new_id(length: int = 14) -> str:
    """As the service's look."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


class Pods:
    """All pods of the account."""

    def __init__(self, settings: Settings, state: State, clock: Clock, catalogue: Catalogue) -> None:
        self._settings, self._state, self._clock, self._catalogue = settings, state, clock, catalogue
        self.processes = processes_of(settings)
        self.volumes = settings.folder / "volumes"

    def get(self, pod_id: str) -> PodState:
        """One pod; raises Problem 404."""
        found = self._state.pods.get(pod_id)
        if found is None:
            raise missing("pod")
        return found

    def listed(self) -> list[PodState]:
        """Those that the list has by now."""
        now = self._clock.now()
        return [one for one in self._state.pods.values() if one.listed_from_s <= now]

    def create(self, body: Mapping[str, Any], faults: Iterable[Fault]) -> PodState:
        """Rent one.

        Raises:
            Problem: 400, 402, 404; nothing was rented.
        """
        placement.check(self._state, body)
        self._check_balance()
        place = placement.place(self._state, self._catalogue, body)
        now = self._clock.now()
        pod = PodState(
            id=new_id(),
            name=body["name"],
            image=body["image"],
            args=body.get("args", ""),
            disk_gb=int(body.get("disk", 10)),
            ports=list(body.get("ports", ())),
            env=dict(body.get("env", {})),
            injected=self._injected(body),
            registry=body.get("registry"),
            mounts=dict(body.get("mounts", {})),
            cloud=body.get("cloud", "SECURE"),
            data_center=place.data_center,
            gpu_id=place.gpu_id,
            gpu_count=place.gpu_count,
            cpu_id=place.cpu_id,
            vcpus=place.vcpus,
            memory_gb=place.memory_gb,
            cuda_version=place.cuda_version,
            price_usd_per_h=place.usd_per_h,
            own_key=f"rpa_{new_id(40).upper()}",
            ssh_port=0,
            global_networking=bool(body.get("globalNetworking")),
            status="PROVISIONING",
            since_s=now,
            created_s=now,
        )
        launch.words(pod, self._settings)
        self._check_links(pod)
        for fault in faults:
            _bewitch(pod, fault, now)
        self._state.pods[pod.id] = pod
        self._bill(pod, now)
        self.processes.note(pod.id, f"create container {pod.image}")
        return pod

    @follows("locked-pods", "disk-wiped")
    def update(self, pod_id: str, body: Mapping[str, Any]) -> PodState:
        """Edit it; a running one is reset where that is needed.

        Raises:
            Problem: 400, 404, 409.
        """
        pod = self.get(pod_id)
        if "templateId" in body:
            raise missing("template")
        placement.check_container(self._state, body)
        mounts = placement.edited_mounts(pod.mounts, body.get("mounts", {}))
        resets = any(name in body for name in RESETS)
        if resets and pod.locked and body.get("locked", True):
            raise Problem(409, "pod is locked")
        before = launch.links(pod, self.processes.folder(pod.id), self.volumes)
        changed = PodState(**{**_fields(pod), "mounts": mounts})
        for name, field in (("name", "name"), ("image", "image"), ("args", "args"), ("locked", "locked"),
                            ("registry", "registry"), ("globalNetworking", "global_networking")):  # fmt: skip
            if name in body:
                setattr(changed, field, body[name])
        changed.disk_gb = int(body.get("disk", pod.disk_gb))
        changed.ports = list(body.get("ports", pod.ports))
        changed.env = dict(body.get("env", pod.env))
        launch.words(changed, self._settings)
        self._check_links(changed)
        self._state.pods[pod_id] = changed
        if launch.links(changed, self.processes.folder(pod.id), self.volumes) != before:
            self.processes.hide(before, self._links_of_others(pod_id))
        if resets and pod.status == "RUNNING":
            self._again(changed)
        self._bill(changed, self._clock.now())
        return changed

    @follows("locked-pods", "start-without-stock")
    def act(self, pod_id: str, action: str) -> PodState | None:
        """start, stop, restart, terminate; the last answers nothing.

        Raises:
            Problem: 400 without stock, 404, 409 where the pod's status forbids it.
        """
        pod = self.get(pod_id)
        if action not in ACTIONS[pod.status]:
            raise Problem(409, f"action {action!r} is not valid for a pod that is {pod.status}")
        if pod.locked and action in ("stop", "restart"):
            raise Problem(409, "pod is locked")
        if action == "terminate":
            self.end(pod_id)
            return None
        if action == "restart":
            self._again(pod)
        elif action == "stop":
            self.stop(pod)
        else:
            self._check_balance()
            if not pod.active and not self._fits(pod):
                raise Problem(400, HOST_FULL)
            pod.fails = False
            self._enter(pod, "PROVISIONING")
        return pod

    def stop(self, pod: PodState) -> None:
        """Its program is asked to end; compute is given back."""
        self.processes.note(pod.id, "stop container")
        self.processes.stop(pod.id)
        pod.wipe_first = True
        self._enter(pod, "EXITED")

    def end(self, pod_id: str) -> None:
        """Gone with all its processes, its disk and its links; what it has cost stays known."""
        pod = self.get(pod_id)
        self.processes.remove(pod_id)
        self.processes.hide(
            launch.links(pod, self.processes.folder(pod_id), self.volumes), self._links_of_others(pod_id)
        )
        del self._state.pods[pod_id]
        self._state.pod_bills[pod_id].change(self._clock.now(), {})

    def _again(self, pod: PodState) -> None:
        self.processes.note(pod.id, "restart container")
        self.processes.stop(pod.id)
        pod.wipe_first = True
        self._enter(pod, "STARTING")

    def _enter(self, pod: PodState, status: str) -> None:
        pod.status, pod.since_s = status, self._clock.now()
        self._bill(pod, pod.since_s)

    def _bill(self, pod: PodState, now_s: float) -> None:
        bill = self._state.pod_bills.setdefault(pod.id, Bill(owner=pod.id, name=pod.name))
        rates = pod_rates(
            active=pod.active,
            usd_per_h=pod.price_usd_per_h,
            is_gpu=pod.gpu_id is not None,
            disk_gb=pod.disk_gb,
            persistent_gb=int(pod.mounts.get("persistent", {}).get("size", 0)),
        )
        bill.change(now_s, rates)

    def spent_usd(self, now_s: float) -> float:
        """By the whole account, up to now."""
        bills = [*self._state.pod_bills.values(), *self._state.volume_bills.values()]
        return sum(bill.total_usd(now_s) for bill in bills)

    def broke(self) -> bool:
        """The balance is used up."""
        balance = self._state.balance_usd
        return balance is not None and self.spent_usd(self._clock.now()) >= balance

    def _check_balance(self) -> None:
        if self.broke():
            raise Problem(402, "insufficient balance")

    def _fits(self, pod: PodState) -> bool:
        gpu = gpu_of(pod.gpu_id) if pod.gpu_id is not None else None
        if gpu is not None:
            return self._catalogue.free_gpus(gpu, pod.cloud, pod.data_center) >= pod.gpu_count
        cpu = cpu_of(pod.cpu_id) if pod.cpu_id is not None else None
        return cpu is not None and self._catalogue.free_vcpus(cpu, pod.data_center) >= pod.vcpus

    @follows("secrets-hidden")
    def _injected(self, body: Mapping[str, Any]) -> dict[str, str]:
        injected = {}
        if body.get("startSsh") and self._state.ssh_keys:
            injected["PUBLIC_KEY"] = "\n".join(self._state.ssh_keys)
        if body.get("startJupyter"):
            injected["JUPYTER_PASSWORD"] = secrets.token_urlsafe(16)
        return injected

    def _check_links(self, pod: PodState) -> None:
        taken = self._links_of_others(pod.id)
        for path, target in launch.links(pod, self.processes.folder(pod.id), self.volumes).items():
            own_disk = not target.is_relative_to(self.volumes)
            self.processes.check(path, target, () if own_disk else taken)

    def _links_of_others(self, pod_id: str) -> set[Path]:
        return {
            Path(os.path.normpath(path))
            for other in self._state.pods.values()
            if other.id != pod_id
            for path in launch.links(other, self.processes.folder(other.id), self.volumes)
        }


def _fields(pod: PodState) -> dict[str, Any]:
    return dict(vars(pod))


def _bewitch(pod: PodState, fault: Fault, now_s: float) -> None:
    if fault.kind == "never_ready":
        pod.never_ready = True
    elif fault.kind == "error":
        pod.fails = True
    elif fault.kind == "bad_gpu":
        pod.bad_gpu = True
    elif fault.kind == "dies":
        pod.dies_at_s = now_s + fault.seconds
    elif fault.kind == "slow_ssh":
        pod.slow_s = fault.seconds
    else:
        pod.listed_from_s = now_s + fault.seconds
