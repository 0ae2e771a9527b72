"""What a pod's container is started with on this machine: words, variables, links, and a GPU to look at."""

import json
import os
import shlex
import shutil
import socket
import sys
from pathlib import Path

from infra.runpod.simulator import nvidia_smi
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.catalogue import gpu_of
from infra.runpod.simulator.pod_answer import LOOPBACK
from infra.runpod.simulator.problems import Problem
from infra.runpod.simulator.settings import Settings
from infra.runpod.simulator.state import PodState

MACHINE = Path(__file__).resolve().parents[3] / "images" / "cloud" / "machine.py"
"""What our own cloud image runs."""
RUNS = "SONARSTACK_MACHINE_RUNS"
PYTHON = Path(sys.executable)
STAND_IN_TORCH = Path(__file__).with_name("stand_in_torch.py")


@follows("images-are-this-machine")
def words(pod: PodState, settings: Settings) -> list[str]:
    """Its program and arguments.

    Raises:
        Problem: 400, `args` are no words of a shell.
    """
    text = pod.args if pod.args.strip() else settings.image_commands.get(pod.image)
    if text is None:
        return [str(PYTHON), str(MACHINE)]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Problem(400, f"args cannot be split into words: {error}") from error


def free_port() -> int:
    """On loopback, for the pod's sshd."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@follows("pod-variables", "images-are-this-machine", "gpu-is-a-stand-in")
def variables(pod: PodState, folder: Path, address: str) -> dict[str, str]:
    """A fresh environment: the image's, the request's, then the provider's."""
    image = {
        "PATH": os.pathsep.join(
            (str(folder / "bin"), str(PYTHON.parent), os.environ.get("PATH", os.defpath))
        ),
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        # The image's own torch sees its GPUs; this machine's may see none.
        **({"PYTHONPATH": str(folder / "python")} if pod.gpu_id is not None else {}),
        # Else all pods of this machine would share one.
        "SONARSTACK_MACHINE_PRIVATE": str(folder / "tmp" / "machine"),
    }
    provider = {
        "RUNPOD_POD_ID": pod.id,
        "RUNPOD_API_KEY": pod.own_key,
        "RUNPOD_REST_V2_API_URL": address,
        "RUNPOD_DC_ID": pod.data_center,
        "RUNPOD_POD_HOSTNAME": f"{pod.id}-simulated",
        "RUNPOD_GPU_COUNT": str(pod.gpu_count),
        "RUNPOD_CPU_COUNT": str(pod.vcpus or os.cpu_count() or 1),
        "RUNPOD_PUBLIC_IP": LOOPBACK,
        "RUNPOD_TCP_PORT_22": str(pod.ssh_port),
        # This machine stands in for all pods, so that none has port 22 for itself.
        "SONARSTACK_MACHINE_SSH_PORT": str(pod.ssh_port),
        "SONARSTACK_MACHINE_SSH_ADDRESS": LOOPBACK,
    }
    if pod.volume_id is not None:
        provider["RUNPOD_VOLUME_ID"] = pod.volume_id
    return image | pod.injected | pod.env | provider


@follows("paths-are-links")
def links(pod: PodState, folder: Path, volumes: Path) -> dict[str, Path]:
    """Paths that the pod sees to the folders here that they show."""
    network = pod.mounts.get("network")
    if network:
        return {network[0]["path"]: volumes / network[0]["volumeId"]}
    found = {}
    if "persistent" in pod.mounts:
        found[pod.mounts["persistent"]["path"]] = folder / "persistent"
    if RUNS in pod.env and pod.env[RUNS] not in found:
        found[pod.env[RUNS]] = folder / "disk"
    return found


@follows("nothing-is-installed")
def forbid_installing(folder: Path) -> None:
    """The pod's package manager is this machine's, and must not be used."""
    words = "SIMULATED: a simulated pod installs nothing on this machine; install it here yourself"
    for name in ("apt-get", "apt"):
        _write_program(folder / "bin" / name, f'echo "{words}" >&2\nexit 100')


def write_gpu(pod: PodState, folder: Path) -> None:
    """Stand-ins for the pod's nvidia-smi and torch; a CPU pod has none."""
    gpu = gpu_of(pod.gpu_id) if pod.gpu_id is not None else None
    if gpu is None:
        return
    told = {
        "name": gpu.id,
        "count": pod.gpu_count,
        "memory_mib": gpu.memory_gb * 1024,
        "uuid": pod.id,
        "percent": pod.gpu_percent,
        "memory_percent": pod.gpu_memory_percent,
        "broken": pod.bad_gpu,
    }
    stand_in = folder / "python" / "torch.py"
    if not stand_in.exists():
        shutil.copyfile(STAND_IN_TORCH, stand_in)
    facts = folder / "python" / "gpu.json"
    part = facts.with_suffix(".part")
    part.write_text(json.dumps(told))
    part.replace(facts)
    call = shlex.join((str(PYTHON), "-IS", nvidia_smi.__file__, str(facts)))
    _write_program(folder / "bin" / "nvidia-smi", f'exec {call} "$@"')


def _write_program(path: Path, script: str) -> None:
    if not path.exists():
        new = path.with_suffix(".part")
        new.write_text(f"#!/bin/sh\n{script}\n")
        new.chmod(0o755)
        new.replace(path)
