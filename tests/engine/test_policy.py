"""The policy pack in the real engine: AWS's whole stack and Azure's resources pass a preview, planted mistakes do not.

The clouds' own plugins are not needed: a stand-in says that it is theirs, and makes nothing.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stacks.policy_pack import PACK
from tests.engine.stack import MARKS, PROJECT, Engine
from tests.stacks.policy.azure_resources import MARKS as AZURE_MARKS
from tests.stacks.policy.azure_resources import OWNER, SUBSCRIPTION, role, stack

pytestmark = [
    *MARKS,
    pytest.mark.skipif(
        not (PROJECT / PACK / ".venv").is_dir(),
        reason=f"{PACK} has no environment yet; `make rules` makes it, from a package registry",
    ),
]
PROGRAM = """
import json, os
import pulumi
from infra.aws.preflight import assumed_account
from stacks.aws import deploy
from stacks.settings import read_pulumi_config

settings = read_pulumi_config()
planted = json.loads(os.environ["PLANTED"])
if planted.get("whole"):
    deploy(settings, "night", assumed_account(settings.region, (), settings.types), quiet=True)
for token, inputs in planted["more"].items():
    pulumi.CustomResource(token, "planted", inputs)
"""
PLANTED: list[tuple[str, str, dict[str, Any]]] = [
    ("encrypted-storage", "aws:cloudwatch/logGroup:LogGroup", {}),
    ("no-public-ingress", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv4": "0.0.0.0/0"}),
    ("no-public-bucket", "aws:s3/bucketAcl:BucketAcl", {"acl": "public-read"}),
    (
        "no-wildcard-rights",
        "aws:iam/rolePolicy:RolePolicy",
        {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::x"}]})},
    ),
    ("stamp-on-everything", "aws:ec2/vpc:Vpc", {"tags": {}}),
    ("lease-on-machines", "aws:ec2/fleet:Fleet", {}),
    ("rights-by-token", "aws:ec2/launchConfiguration:LaunchConfiguration",
     {"rootBlockDevice": {"encrypted": True, "kmsKeyId": "k"}}),
    ("encrypted-storage", "azure-native:compute:Disk", {"tags": AZURE_MARKS}),
    ("no-public-ingress", "azure-native:network:SecurityRule",
     {"access": "Allow", "direction": "Inbound", "sourceAddressPrefix": "Internet"}),
    ("no-public-bucket", "azure-native:storage:BlobContainer", {"publicAccess": "Container"}),
    ("no-wildcard-rights", "azure-native:authorization:RoleAssignment",
     {"roleDefinitionId": role(OWNER), "scope": f"{SUBSCRIPTION}/resourceGroups/g"}),
    ("stamp-on-everything", "azure-native:keyvault:Vault", {"tags": {}}),
    ("lease-on-machines", "azure-native:batch:Pool", {}),
    ("rights-by-token", "azure-native:containerregistry:Registry", {"adminUserEnabled": True}),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("policy")
    settings = {
        "target": "aws",
        "dataUrl": str(PROJECT / "app/config/environments"),
        "maxUsdPerH": 0.8,
        "image": "docker.io/me/mine@sha256:0",
    }
    made = Engine(folder, settings)
    (folder / "__main__.py").unlink()
    (folder / "__main__.py").write_text(PROGRAM)
    plugin = folder / "stand-in"
    plugin.mkdir()
    shutil.copyfile(Path(__file__).with_name("stand_in.py"), plugin / "__main__.py")
    (plugin / "PulumiPlugin.yaml").write_text("runtime: {name: python, options: {virtualenv: ../.venv}}\n")
    (folder / "Pulumi.yaml").unlink()
    places = "".join(f"    - name: {name}\n      path: stand-in\n" for name in ("aws", "azure-native"))
    (folder / "Pulumi.yaml").write_text((PROJECT / "Pulumi.yaml").read_text() + places)
    return made


def told(engine: Engine, *words: str, whole: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    planted = json.dumps({"whole": whole, "more": more})
    return engine(*words, "--stack", "test", "--policy-pack", PACK, PLANTED=planted)


def test_the_whole_stack_passes_and_azure_s_resources_as_they_should_be(engine: Engine) -> None:
    right = {one.token: one.inputs for one in stack().values() if one.token.startswith("azure-native:")}
    done = told(engine, "preview", whole=True, **right)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aws:autoscaling:Group" in done.stdout
    assert "azure-native:compute:VirtualMachine" in done.stdout
    assert "✅ sonarstack" in done.stdout


def test_planted_mistakes_stop_an_up_each_by_its_rule_before_anything_is_made(engine: Engine) -> None:
    done = told(engine, "up", "--yes", **{token: inputs | marks(inputs) for _, token, inputs in PLANTED})
    assert done.returncode != 0
    for rule, token, _ in PLANTED:
        cloud, module, kind = token.split(":")
        place = f"[mandatory]  {rule}  ({cloud}:{module.partition('/')[0]}:{kind}: planted)"
        assert done.stdout.count(place) == 1, f"{place}\n{done.stdout}"
    assert done.stdout.count("[mandatory]") == len(PLANTED), done.stdout
    state = json.loads(engine("stack", "export", "--stack", "test").stdout)
    assert not state["deployment"].get("resources")


def marks(inputs: dict[str, Any]) -> dict[str, Any]:
    """The stamp, where it is not the mistake itself."""
    return {} if "tags" in inputs else {"tags": {"sonarstack:stamp": "x"}}
