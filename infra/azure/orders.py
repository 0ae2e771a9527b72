"""What a machine on Azure is told to do: its container, and Azure's own ways as commands. Pure.

Docker and the NVIDIA runtime are on the HPC image, as is Python 3.10 (ubuntu-hpc 2204; Azure/azhpc-images, read
2026-11); `az` is not, so that the commands are programs of ours: machine_calls.py and machine_collect.py.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.azure.names import RUNS
from infra.vm.cloud_init import CONFIG, FOLDER
from infra.vm.orders import Orders

HERE = Path(__file__).parent
CALLS, COLLECT = "machine_calls.py", "machine_collect.py"
SETTINGS = f"{CONFIG}/azure.json"
COLLECT_SERVICE = "sonarstack-collect.service"
COLLECT_UNIT = f"""[Unit]
Description=sonarstack: figures of the GPUs, and what the job says
After=network-online.target docker.service
Wants=network-online.target
Before=sonarstack.service

[Service]
ExecStart=/usr/bin/python3 {FOLDER}/{COLLECT}
Restart=on-failure
RestartSec=10
TimeoutStopSec=40
"""
"""Before: as the machine goes down the job is stopped first, and its last words are still collected."""
STATE = "/var/lib/sonarstack"
USER = 10001
"""Of our images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostOrders:
    """What one machine is for."""

    machine_id: str
    """At Azure Resource Manager."""
    account: str
    """Of storage."""
    client_id: str
    """Of the machine's identity."""
    notes: str
    """Prefix in container runs of what the machine tells."""
    gpu_log_address: str | None
    """Stream that takes figures of the GPUs; None for no figures."""
    image: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    lease_until_s: float
    metadata: str = "http://169.254.169.254"
    arm: str = "https://management.azure.com"
    blobs: str | None = None
    """Address of the account's blobs; None for the public cloud's."""

    @property
    def registry(self) -> str:
        """Where the image is."""
        return self.image.partition("/")[0]


def host_orders(host: HostOrders) -> Orders:
    """The same for the same host."""
    end = _calls("end")
    return Orders(
        image=host.image,
        arguments=host.arguments,
        variables={
            **host.variables,
            "AZURE_STORAGE_ACCOUNT_NAME": host.account,
            "AZURE_CLIENT_ID": host.client_id,
        },
        docker=(
            # The machine's own network: by its metadata address the program proves who it is, and hears its end.
            "--gpus", "all", "--network", "host", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--shm-size", "2g", "--volume", f"{STATE}/runs:/runs", "--user", f"{USER}:{USER}",
            # Collected from there; no job may fill the machine's disk with what it says.
            "--log-driver", "json-file", "--log-opt", "max-size=100m", "--log-opt", "max-file=3",
        ),
        lease_until_s=host.lease_until_s,
        identity=_calls("identity"),
        keep=_calls("keep", "{name}"),
        # What the job said last is appended first; a collector that hangs does not keep the machine.
        end=(("sh", "-c", f"timeout 45 systemctl stop {COLLECT_SERVICE} || true"), end),
        sign_in=_calls("sign-in") if host.registry.endswith(".azurecr.io") else (),
        prepare=(
            ("install", "-d", "-o", str(USER), "-g", str(USER), f"{STATE}/runs"),
            ("systemctl", "start", "--no-block", COLLECT_SERVICE),
            # A right that was given a moment ago holds some minutes later; what the pull takes comes on top.
            _calls("ready"),
        ),
        # A machine that is only off is billed on.
        power_off=end,
        folder=STATE,
    )  # fmt: skip


def host_files(host: HostOrders) -> dict[str, str]:
    """Path to text: what the commands are made of. Nothing in it is secret."""
    settings = {
        "metadata": host.metadata,
        "arm": host.arm,
        "clientId": host.client_id,
        "machineId": host.machine_id,
        "notes": f"{host.blobs or f'https://{host.account}.blob.core.windows.net'}/{RUNS}/{host.notes}",
        "registry": host.registry,
        "exchange": f"https://{host.registry}/oauth2/exchange",
        "gpuLog": host.gpu_log_address,
        "folder": STATE,
    }
    return {
        SETTINGS: json.dumps(settings, indent=1),
        f"{FOLDER}/{CALLS}": (HERE / CALLS).read_text(),
        f"{FOLDER}/{COLLECT}": (HERE / COLLECT).read_text(),
        f"/etc/systemd/system/{COLLECT_SERVICE}": COLLECT_UNIT,
    }


def _calls(*words: str) -> tuple[str, ...]:
    return ("/usr/bin/python3", f"{FOLDER}/{CALLS}", *words)
