"""What a pod is on this machine: a process, or a container where Docker answers."""

from dataclasses import dataclass
from typing import Literal

from infra.errors import DockerError
from infra.runpod.simulator.processes import Processes
from infra.runpod.simulator.settings import PodKind, Settings

PodWish = Literal["auto", "process", "container"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of them, and why."""

    kind: PodKind
    why: str

    def line(self) -> str:
        """For people."""
        return f"pods are {'containers' if self.kind == 'container' else 'processes'} of this machine ({self.why})"


def choose_pods(wish: PodWish) -> Choice:
    """Containers where one of this machine's programs runs.

    Raises:
        DockerError: containers were asked for, and there can be none.
    """
    if wish == "process":
        return Choice(kind="process", why="asked for")
    # Docker's own library is loaded only where it is asked for.
    from infra.runpod.simulator.containers import find_docker

    try:
        _, client = find_docker()
    except DockerError as error:
        if wish == "container":
            raise
        # What Docker's errors advise is meant for jobs, not for this.
        return Choice(kind="process", why=str(error).partition(";")[0])
    version = client.version()["Version"]
    client.close()
    return Choice(kind="container", why=f"Docker {version} answers")


def processes_of(settings: Settings) -> Processes:
    """Of all pods, by the kind that was chosen.

    Raises:
        DockerError: there can be no containers.
    """
    folder = settings.folder / "pods"
    if settings.pods == "process":
        return Processes(folder, settings.grace_s, allowed=settings.allowed)
    from infra.runpod.simulator.containers import Containers

    return Containers(folder, settings.grace_s)
