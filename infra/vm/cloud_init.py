"""The text that makes a fresh machine follow its orders (cloud-init's `#cloud-config`, read once at the first boot).

Source: cloudinit.readthedocs.io, modules `write_files` (encoding gz+b64) and `runcmd`.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.errors import SettingsError
from infra.vm.orders import Orders

PROGRAM = Path(__file__).with_name("machine.py")
AT_MOST_BYTES = 16384
"""The narrowest: user data of EC2 before base64."""
FOLDER, CONFIG = "/opt/sonarstack", "/etc/sonarstack"
UNIT = """[Unit]
Description=sonarstack: one training, and the end of this machine
After=network-online.target docker.service
Wants=network-online.target docker.service

[Service]
ExecStart=/usr/bin/python3 /opt/sonarstack/machine.py
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=110

[Install]
WantedBy=multi-user.target
"""
"""KillMode=mixed: only the program gets SIGTERM, its guard lives on and knows the clock."""


def cloud_init(
    orders: Orders, *, files: Mapping[str, str] | None = None, at_most_bytes: int = AT_MOST_BYTES
) -> str:
    """User data, the same for the same orders.

    The first command is the switch: the machine's own clock turns it off some minutes after the lease, whatever
    becomes of the rest.

    Args:
        files: further ones, path to text: the cloud's own programs, units and settings.
        at_most_bytes: that the cloud takes, before base64.

    Raises:
        SettingsError: it is longer than the cloud takes.
    """
    written = {
        f"{FOLDER}/machine.py": PROGRAM.read_text(),
        f"{CONFIG}/machine.json": json.dumps(orders.as_dict(), indent=1),
        "/etc/systemd/system/sonarstack.service": UNIT,
        **(files or {}),
    }
    until = int(orders.lease_until_s + orders.hard_stop_s) + 300
    minutes = f"$(( ({until} - $(date +%s)) / 60 ))"
    content = {
        "write_files": [
            {"path": path, "permissions": "0600", "encoding": "gz+b64", "content": _packed(text)}
            for path, text in written.items()
        ],
        "runcmd": [
            ["sh", "-c", f'm={minutes}; [ "$m" -gt 1 ] || m=1; shutdown -h "+$m"'],
            ["mkdir", "-p", "/run/sonarstack"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "sonarstack.service"],
        ],
    }
    text = "#cloud-config\n" + yaml.safe_dump(content, sort_keys=False, width=4096)
    if len(text.encode()) > at_most_bytes:
        raise SettingsError(
            f"the machine's start text has {len(text.encode())} bytes, at most {at_most_bytes} are taken; shorten "
            "sonarstack:trainArguments"
        )
    return text


def _packed(text: str) -> str:
    # mtime=0: the same text must give the same user data, or every `up` would rent another machine.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
