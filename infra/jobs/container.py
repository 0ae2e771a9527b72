"""A job in a container of a Docker in reach, by Docker's own SDK (docker.errors are turned into ours)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from infra.errors import DockerError
from infra.jobs.job import JobStatus, ended

TIMEOUT_S = 30


class ContainerJob:
    """The container is made and removed by Pulumi; here it is looked at and stopped."""

    def __init__(self, container_id: str, *, docker_host: str | None = None) -> None:
        self._id, self._docker_host = container_id, docker_host

    def status(self) -> JobStatus:
        """See `Job.status`."""
        with self._container() as container:
            if container is None:
                return JobStatus(state="lost", reason="its container is gone")
            state = container.attrs["State"]
        if state["Status"] in ("running", "paused", "restarting"):
            return JobStatus(state="running")
        if state["Status"] == "created":
            # Docker could not start it (a mount that is missing, say) and tells why.
            error = str(state.get("Error") or "")
            return JobStatus(state="failed", reason=error) if error else JobStatus(state="waiting")
        reason = (
            "out of memory; raise sonarstack:memoryGib"
            if state.get("OOMKilled")
            else str(state.get("Error") or "")
        )
        return ended(int(state["ExitCode"]), reason)

    def read_log(self, offset: int = 0) -> bytes:
        """See `Job.read_log`."""
        with self._container() as container:
            return b"" if container is None else bytes(container.logs())[offset:]

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """See `Job.stop`."""
        with self._container(timeout_s=grace_s + TIMEOUT_S) as container:
            if container is not None and container.status in ("running", "paused", "restarting"):
                container.stop(timeout=int(grace_s))
        return self.status()

    def remove(self) -> None:
        """See `Job.remove`: the container is Pulumi's."""

    @contextmanager
    def _container(self, *, timeout_s: float = TIMEOUT_S) -> Iterator[Any]:
        """The container; None if it is gone."""
        client = None
        try:
            client = connect(self._docker_host, timeout_s=timeout_s)
            try:
                found = client.containers.get(self._id)
            except NotFound:
                found = None
            yield found
        except APIError as error:
            raise DockerError(f"Docker refuses: {error.explanation or error}") from error
        except (DockerException, OSError) as error:
            raise DockerError(
                f"Docker does not answer ({type(error).__name__}); start it and try again"
            ) from error
        finally:
            if client is not None:
                client.close()


def connect(docker_host: str | None, *, timeout_s: float = TIMEOUT_S) -> docker.DockerClient:
    """A client of the Docker at an address, of DOCKER_HOST or of the system's socket."""
    if docker_host is None:
        return docker.from_env(timeout=int(timeout_s))
    return docker.DockerClient(base_url=docker_host, timeout=int(timeout_s))
