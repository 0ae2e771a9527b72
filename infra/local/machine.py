"""What this machine is, as far as the local target must know before it declares anything."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.errors import DockerError, SettingsError
from infra.local.docker_engine import DockerFacts, ask_docker, docker_address, image_labels

IMAGE_UID = 10001
"""The images' own user, who runs the job when this machine's user is root."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Docker, or why there is none, and who owns what the job writes."""

    docker: DockerFacts | None
    problem: str | None = None
    """Why Docker is missing, and what to do."""
    uid: int = IMAGE_UID
    gid: int = IMAGE_UID
    labels: Callable[[str, str], Mapping[str, str] | None] = image_labels
    """Asked for an image's labels with the address of Docker and the image's name."""

    @classmethod
    def look(cls, docker_host: str | None) -> "Machine":
        """Ask Docker; a silent one is a fact too, which only matters where a container is wanted."""
        uid, gid = (os.getuid(), os.getgid()) if hasattr(os, "getuid") else (IMAGE_UID, IMAGE_UID)
        if uid == 0:
            # No job runs as root: not even root's own. The runs folder is given to the images' user instead.
            uid, gid = IMAGE_UID, IMAGE_UID
        try:
            return cls(docker=ask_docker(docker_address(docker_host)), uid=uid, gid=gid)
        except DockerError as error:
            return cls(docker=None, problem=str(error), uid=uid, gid=gid)

    def require_docker(self) -> DockerFacts:
        """The Docker that answered.

        Raises:
            DockerError: it did not.
        """
        if self.docker is None:
            raise DockerError(self.problem or "Docker was not asked")
        return self.docker

    def assuming_docker(self, docker_host: str | None) -> "Machine":
        """The same with a Docker that is taken for granted, for looking at what would be made."""
        if self.docker is not None:
            return self
        # Nothing is known of its images either.
        assumed = DockerFacts(
            address=docker_address(docker_host),
            version="",
            architecture="amd64",
            cores=0,
            memory_gib=0,
            gpu=False,
        )
        return Machine(
            docker=assumed,
            problem=self.problem,
            uid=self.uid,
            gid=self.gid,
            labels=lambda _address, _image: None,
        )

    def prepare_folder(self, folder: Path) -> None:
        """Make a folder that the job's user can write, before Docker makes one that only root can.

        Raises:
            SettingsError: it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if hasattr(os, "getuid") and os.getuid() == 0:
                os.chown(folder, self.uid, self.gid)
        except OSError as error:
            raise SettingsError(
                f"{folder}, where the run would lie, cannot be made ({error.strerror}); set sonarstack:home to "
                "another folder"
            ) from error
