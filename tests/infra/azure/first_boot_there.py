"""A first boot on Azure, in namespaces of its own: `first_boot_there.py FOLDER MACHINE-ID ACCOUNT REGISTRY INGESTION`.

Everything is asked at Azure's own addresses: the metadata address is one of the loopback's, names stand in /etc/hosts,
and a certificate of our own is trusted. What was asked and kept is told in FOLDER/told.json.
"""

import base64
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.infra.azure.azurite import CONTAINERS, Azurite, self_signed, started
from tests.infra.azure.whom_it_asks import Azure
from tests.infra.vm import first_boot

BLOBS, REST = "127.0.0.2", "127.0.0.3"
METADATA = "169.254.169.254"


def listen_on_loopback() -> None:
    """A network namespace begins with nothing: switch its loopback on, and give it the metadata address."""
    with socket.socket() as any_socket:
        fcntl.ioctl(
            any_socket, 0x8914, struct.pack("16sh", b"lo", 0x49)
        )  # SIOCSIFFLAGS: up, loopback, running
        place = struct.pack(
            "16sH2s4s8s", b"lo:1", socket.AF_INET, b"\0\0", socket.inet_aton(METADATA), b"\0" * 8
        )
        fcntl.ioctl(any_socket, 0x8916, place)  # SIOCSIFADDR


CLOUD_CONFIG = """
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: [write-files]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user]
system_info: {distro: debian}
"""
"""The modules that our text speaks to, in the stages that distributions have them in."""
STAGES = (["init", "--local"], ["init"], ["modules", "--mode=config"], ["modules", "--mode=final"])


def boot_by_cloud_init(program: str, text: str) -> int:
    """cloud-init itself, stage by stage as its services run it; the worst code of all.

    The text comes by the seed of its NoCloud source: Azure's reads a disk that a machine has and we have not.
    """
    seed = Path("/var/lib/cloud/seed/nocloud")
    seed.mkdir(parents=True)
    (seed / "user-data").write_text(text)
    (seed / "meta-data").write_text("instance-id: i-1\n")
    Path("/etc/cloud").mkdir()
    Path("/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    Path("/etc/group").write_text("root:x:0:\n")
    Path("/etc/cloud/cloud.cfg").write_text(CLOUD_CONFIG)
    return max(subprocess.run([program, *words], check=False).returncode for words in STAGES)


def main(folder: Path, machine_id: str, account: str, registry: str, ingestion: str) -> int:
    blobs = f"{account}.blob.core.windows.net"
    listen_on_loopback()
    names = {blobs: BLOBS, "management.azure.com": REST, registry: REST, ingestion: REST}
    Path("/etc/hosts").write_text("".join(f"{place} {name}\n" for name, place in names.items()))
    certificate, key = self_signed(folder, list(names))
    process, port = started(folder, certificate, key, host=BLOBS, port=443, account=account)
    azurite = Azurite(blob_port=port, certificate=certificate, account=account, endpoint=f"https://{blobs}")
    for container in CONTAINERS:
        azurite.service().create_container(container)
    azure = Azure(machine_id, places=[(METADATA, 80), (REST, 443)], certificate=(certificate, key))
    text = (folder / "user-data").read_text()
    cloud_init = os.environ.get("SONARSTACK_CLOUD_INIT")
    code = boot_by_cloud_init(cloud_init, text) if cloud_init else first_boot.boot(text)
    told = {
        "code": code, "asked": azure.asked, "deleted": azure.deleted, "agreed": azure.agreed, "rows": azure.rows,
        "bearers": azure.bearers, "forms": azure.forms,
        "blobs": {name: base64.b64encode(text).decode() for name, text in azurite.blobs("runs").items()},
    }  # fmt: skip
    (folder / "told.json").write_text(json.dumps(told))
    process.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
