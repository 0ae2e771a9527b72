"""Pods as containers of this machine's Docker: the same keepers and folders, with a container behind each.

A container has processes, mounts and a disk of its own, and this machine's network, so that it reaches the simulator on
loopback. It never outlives its simulator: the keeper removes it, and the next simulator sweeps what both left.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import docker
import psutil
from docker.errors import APIError, DockerException, NotFound

from infra.errors import DockerError
from infra.jobs.container import connect
from infra.local.docker_engine import ask_docker, docker_address
from infra.runpod.simulator import launch, nvidia_smi
from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.container import began
from infra.runpod.simulator.pod_image import bind, ensure_image, programs
from infra.runpod.simulator.problems import Problem
from infra.runpod.simulator.processes import Processes, below

OWNER = "org.sonarstack.simulator"
"""Label: the simulator's process and when it began."""
SHARED_MEMORY = "1g"
"""Data loaders' workers hand their batches over by it; Docker's own 64 MB are too few."""
GONE_WITHIN_S = 30.0


class Containers(Processes):
    """All pods' containers.

    Raises:
        DockerError: Docker is not there, or no container can be made of this machine's programs.
    """

    def __init__(self, folder: Path, grace_s: float) -> None:
        super().__init__(folder, grace_s, allowed=folder)
        self._program, self._docker = find_docker()
        sweep(self._docker)

    @follows("containers-end-with-the-simulator")
    def launch(
        self,
        pod_id: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        shown: Mapping[str, Path],
        *,
        delay_s: float = 0.0,
    ) -> None:
        """See `Processes.launch`."""
        self.kill(pod_id)
        folder = self.prepare(pod_id)
        for target in shown.values():
            target.mkdir(parents=True, exist_ok=True)
        self._docker.containers.create(
            ensure_image(self._docker),
            list(argv),
            name=_name(pod_id),
            labels={OWNER: _owner(os.getpid())},
            environment=dict(env),
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="host",
            shm_size=SHARED_MEMORY,
            mounts=[
                *programs(),
                # What stands in for the rented GPU, and our own image's program.
                *(bind(Path(one)) for one in (nvidia_smi.__file__, launch.MACHINE)),
                *(bind(folder / name) for name in ("bin", "python")),
                bind(folder / "tmp", read_only=False),
                *(bind(target, place=_normal(path), read_only=False) for path, target in shown.items()),
            ],
        )
        self.keep(
            pod_id,
            [self._program, "start", "--attach", _name(pod_id)],
            {"PATH": os.defpath, "HOME": str(folder / "tmp"), "DOCKER_HOST": docker_address(None)},
            delay_s=delay_s,
            owner=os.getpid(),
            # The program that is attached leaves on a signal, and the container without it goes on.
            stop=[self._program, "kill", "--signal", "TERM", _name(pod_id)],
            leave=[self._program, "rm", "--force", _name(pod_id)],
        )

    @follows("mounts-of-containers")
    def check(self, path: str, target: Path, taken: Iterable[Path]) -> None:  # noqa: ARG002 each pod has its own
        """See `Processes.check`: only over the programs nothing can be mounted."""
        place = _normal(path)
        held = [Path(one["Target"]) for one in programs()]
        if not place.is_absolute() or any(
            place.is_relative_to(one) or one.is_relative_to(place) for one in held
        ):
            raise Problem(400, f"nothing can be mounted at {path} of a simulated pod; its programs lie there")

    def hide(self, shown: Mapping[str, Path], kept: set[Path]) -> None:
        """See `Processes.hide`: mounts go with their container."""

    def kill(self, pod_id: str) -> None:
        """See `Processes.kill`."""
        super().kill(pod_id)
        _remove(self._docker, _name(pod_id))

    def close(self) -> None:
        """See `Processes.close`."""
        self._docker.close()

    def _running(self, pod_id: str) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._docker.containers.get(_name(pod_id)).attrs["State"]["Pid"] or -1)
        except (NotFound, ValueError, psutil.NoSuchProcess):
            return []
        return [first, *below(first)]


def find_docker() -> tuple[str, docker.DockerClient]:
    """Docker's program and a client, once a container of this machine's programs has run.

    Raises:
        DockerError: why there can be none.
    """
    program = shutil.which("docker")
    if program is None:
        raise DockerError("the docker program is not on PATH")
    ask_docker(docker_address(None))
    client = connect(None)
    try:
        client.containers.run(
            ensure_image(client),
            [str(launch.PYTHON), "-c", "import ssl"],
            mounts=programs(),
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="none",
            labels={OWNER: _owner(os.getpid())},
            remove=True,
        )
    except (DockerException, OSError) as error:
        client.close()
        raise DockerError(f"Docker cannot run this machine's programs ({error})") from error
    return program, client


def sweep(client: docker.DockerClient) -> None:
    """Remove containers whose simulators are no more."""
    for one in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
        pid, _, _ = one.labels[OWNER].partition("/")
        if _owner(int(pid)) != one.labels[OWNER]:
            _remove(client, str(one.id))


def _remove(client: docker.DockerClient, name: str) -> None:
    """Returns when it is gone."""
    until = time.monotonic() + GONE_WITHIN_S
    while True:
        try:
            client.api.remove_container(name, force=True)
        except NotFound:
            return
        except APIError as error:
            # Somebody else, such as its keeper, is removing it at this moment.
            if error.status_code != HTTPStatus.CONFLICT or time.monotonic() > until:
                raise
            time.sleep(0.05)


def _name(pod_id: str) -> str:
    return f"sonarstack-simulated-{pod_id}"


def _owner(pid: int) -> str:
    return f"{pid}/{began(pid)}"


def _normal(path: str) -> Path:
    return Path(os.path.normpath(path))
