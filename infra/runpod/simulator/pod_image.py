"""The image of pods that are containers: an empty disk. This machine's programs are shown on it, read-only.

No registry is needed, and a pod has the very interpreter and libraries that the simulator was started with; Runpod's
own images are many gigabytes, and what they bring (Python, torch, ssh) is here already.
"""

import hashlib
import io
import os
import pwd
import sys
import tarfile
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from docker.types import Mount

NAME = "sonarstack-simulated-pod"
ROOTS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Programs and libraries; where one is a link here, it is the same link there."""
SETTINGS = ("nsswitch.conf", "ld.so.cache", "localtime", "alternatives", "ssl/certs", "pki/tls/certs")
"""Of /etc; accounts are the pod's own."""
FOLDERS = {"etc": 0o755, "proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755, "var/lib": 0o755,
           "var/tmp": 0o1777, "tmp": 0o1777}  # fmt: skip


def bind(source: Path, *, place: Path | None = None, read_only: bool = True) -> Mount:
    """A path of this machine, at the same path or another one; Docker refuses one that is missing."""
    return Mount(target=str(place or source), source=str(source), type="bind", read_only=read_only)


def programs() -> list[Mount]:
    """What a pod sees of this machine: its programs, and this interpreter with its libraries."""
    places = [Path(root) for root in ROOTS if Path(root).is_dir() and not Path(root).is_symlink()]
    for prefix in (sys.prefix, sys.base_prefix):
        # A virtual environment may name its interpreter through a link.
        for one in (Path(prefix), Path(prefix).resolve()):
            if not any(one.is_relative_to(place) for place in places):
                places.append(one)
    places += [Path("/etc", name) for name in SETTINGS if Path("/etc", name).exists()]
    return [bind(place) for place in places]


def ensure_image(client: docker.DockerClient) -> str:
    """Its name; it is made where Docker has it not: some folders and links, below a kilobyte."""
    disk = _disk()
    name = f"{NAME}:{hashlib.sha256(disk).hexdigest()[:12]}"
    try:
        client.images.get(name)
    except ImageNotFound:
        repository, _, tag = name.partition(":")
        client.api.import_image_from_data(disk, repository=repository, tag=tag)
    return name


def _disk() -> bytes:
    """The same bytes for the same machine and user."""
    user = pwd.getpwuid(os.getuid())
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, mode in FOLDERS.items():
            archive.addfile(_folder(name, mode))
        home = _folder(user.pw_dir.strip("/"), 0o700)
        home.uid, home.gid = user.pw_uid, user.pw_gid
        archive.addfile(home)
        for name, (mode, text) in _accounts(user).items():
            file = tarfile.TarInfo(f"etc/{name}")
            file.mode, file.size = mode, len(text)
            archive.addfile(file, io.BytesIO(text.encode()))
        for root in map(Path, ROOTS):
            if root.is_symlink():
                link = tarfile.TarInfo(root.name)
                link.type, link.linkname = tarfile.SYMTYPE, str(root.readlink())
                archive.addfile(link)
    return made.getvalue()


def _accounts(user: pwd.struct_passwd) -> dict[str, tuple[int, str]]:
    """Files of /etc, modes and texts: root, this user, and whom sshd runs as; nobody has a password.

    sshd refuses an account that has no line in shadow as locked; a star there is no lock.
    """
    people = {
        "root": (0, 0, "/root", "/bin/sh"),
        "sshd": (102, 65534, "/run/sshd", "/usr/sbin/nologin"),
        "nobody": (65534, 65534, "/nonexistent", "/usr/sbin/nologin"),
        user.pw_name: (user.pw_uid, user.pw_gid, user.pw_dir, user.pw_shell),
    }
    groups = {"root": 0, "tty": 5, "nogroup": 65534} | ({user.pw_name: user.pw_gid} if user.pw_gid else {})
    return {
        "passwd": (0o644, "".join(f"{n}:x:{u}:{g}::{d}:{s}\n" for n, (u, g, d, s) in people.items())),
        "shadow": (0o600, "".join(f"{name}:*:20000:0:99999:7:::\n" for name in people)),
        "group": (0o644, "".join(f"{name}:x:{number}:\n" for name, number in groups.items())),
    }


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    return folder
