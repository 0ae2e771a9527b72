"""A pod as the contract's `Pod`."""

import getpass
from typing import Any

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.clock import rfc3339
from infra.runpod.simulator.state import PodState

ACTIONS = {
    "PROVISIONING": ["stop", "terminate"],
    "STARTING": ["stop", "terminate"],
    "RUNNING": ["stop", "restart", "terminate"],
    "EXITED": ["start", "terminate"],
    "ERROR": ["start", "terminate"],
}
"""What may be asked of it now (podAction of the contract)."""
LOOPBACK = "127.0.0.1"


@follows("cost-without-disk", "secrets-hidden")
def pod_answer(pod: PodState, now_s: float, *, lowercase: bool = False) -> dict[str, Any]:
    """All of it, as of now."""
    answer: dict[str, Any] = {
        "id": pod.id,
        "name": pod.name,
        "status": pod.status,
        "actions": ACTIONS[pod.status],
        "image": pod.image,
        "args": pod.args,
        "disk": pod.disk_gb,
        "mounts": pod.mounts,
        "ports": pod.ports,
        "env": pod.env,
        "registry": pod.registry,
        "cloud": pod.cloud,
        "dataCenterId": pod.data_center.lower() if lowercase else pod.data_center,
        "cudaVersion": pod.cuda_version,
        "ssh": _ssh(pod),
        "template": None,
        "cost": pod.price_usd_per_h if pod.active else 0.0,
        "locked": pod.locked,
        "globalNetworking": {"enabled": pod.global_networking},
        "runtime": _runtime(pod, now_s) if pod.status == "RUNNING" else None,
        "createdAt": rfc3339(pod.created_s),
        "startedAt": None if pod.started_s is None else rfc3339(pod.started_s),
    }
    if pod.gpu_id is not None:
        answer["gpu"] = {"id": pod.gpu_id, "count": pod.gpu_count}
    else:
        answer["cpu"] = {"id": pod.cpu_id, "vcpuCount": pod.vcpus, "memory": pod.memory_gb}
    return answer


@follows("no-ssh-proxy", "ssh-direct")
def _ssh(pod: PodState) -> dict[str, Any]:
    if pod.status != "RUNNING" or "22/tcp" not in pod.ports:
        return {"proxy": None, "direct": None}
    user = getpass.getuser()
    return {
        "proxy": None,
        "direct": {
            "host": LOOPBACK,
            "port": pod.ssh_port,
            "username": user,
            "command": f"ssh {user}@{LOOPBACK} -p {pod.ssh_port}",
        },
    }


def _runtime(pod: PodState, now_s: float) -> dict[str, Any]:
    runtime: dict[str, Any] = {
        "uptime": int(now_s - (pod.started_s or now_s)),
        "cpu": {"util": pod.cpu_percent},
        "memory": {"util": pod.memory_percent},
        "ports": [_port(pod, *port.split("/")) for port in pod.ports],
    }
    if pod.gpu_id is not None:
        one = {"util": pod.gpu_percent, "memoryUtil": pod.gpu_memory_percent}
        runtime["gpus"] = [one] * pod.gpu_count
    return runtime


def _port(pod: PodState, number: str, kind: str) -> dict[str, Any]:
    """Only SSH is to be had from outside; other programs listen where they like on this machine."""
    reached = (number, kind) == ("22", "tcp")
    return {
        "private": int(number),
        "public": pod.ssh_port if reached else None,
        "type": kind,
        "ip": LOOPBACK if reached else None,
    }
