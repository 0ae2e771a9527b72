"""The start text of a machine: what it writes, what it does first, and that it never changes by itself."""

import base64
import gzip
import json
import random
import subprocess
from dataclasses import replace

import pytest
import yaml

from infra.errors import SettingsError
from infra.vm.cloud_init import AT_MOST_BYTES, PROGRAM, cloud_init
from infra.vm.orders import Orders

ORDERS = Orders(
    image="image@sha256:1",
    arguments=("train",),
    variables={"SONARSTACK_DATA_URL": "s3://bucket/data"},
    docker=(),
    lease_until_s=1_800_000_000,
    identity=("true",),
    keep=("true", "{name}"),
    end=(("true",),),
)


def written(text: str) -> dict[str, str]:
    files = yaml.safe_load(text)["write_files"]
    return {one["path"]: gzip.decompress(base64.b64decode(one["content"])).decode() for one in files}


def test_it_is_the_same_text_for_the_same_orders() -> None:
    """Another text would be another machine."""
    assert cloud_init(ORDERS) == cloud_init(ORDERS)
    assert cloud_init(ORDERS) != cloud_init(replace(ORDERS, image="image@sha256:2"))


def test_it_writes_program_orders_and_what_is_added() -> None:
    text = cloud_init(ORDERS, files={"/etc/agent.json": "{}"})
    assert text.startswith("#cloud-config\n")
    files = written(text)
    assert files["/opt/sonarstack/machine.py"] == PROGRAM.read_text()
    assert json.loads(files["/etc/sonarstack/machine.json"]) == ORDERS.as_dict()
    assert files["/etc/agent.json"] == "{}"
    assert all(one["permissions"] == "0600" for one in yaml.safe_load(text)["write_files"])


@pytest.mark.parametrize(("now", "minutes"), [(1_800_000_000, 10), (1_799_996_400, 70), (1_800_009_999, 1)])
def test_the_first_command_is_the_switch(now: int, minutes: int) -> None:
    """The shell's own arithmetic, with a `shutdown` and a clock that stand in."""
    first = yaml.safe_load(cloud_init(ORDERS))["runcmd"][0]
    assert first[:2] == ["sh", "-c"]
    stand_in = f'date() {{ echo {now}; }}; shutdown() {{ echo "shutdown $*"; }}; {first[2]}'
    done = subprocess.run(["sh", "-c", stand_in], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"shutdown -h +{minutes}"


def test_a_text_longer_than_the_cloud_takes_is_refused() -> None:
    noise = random.Random(1).randbytes(20_000).hex()
    with pytest.raises(SettingsError, match=f"at most {AT_MOST_BYTES}"):
        cloud_init(replace(ORDERS, variables={"LONG": noise}))
