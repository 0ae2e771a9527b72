"""The policy pack in the real engine: the AWS stack whole passes its preview, a planted mistake does not.

AWS's own plugin is not needed: a stand-in says that it is AWS's, and makes nothing.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stacks.policy_pack import PACK
from tests.engine.stack import MARKS, PROJECT, Engine

pytestmark = [
    *MARKS,
    pytest.mark.skipif(
        not (PROJECT / PACK / ".venv").is_dir(),
        reason=f"{PACK} has no environment yet; `python -m stacks up aws` makes it, from a package registry",
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
    ("metadata-by-token", "aws:ec2/launchConfiguration:LaunchConfiguration",
     {"rootBlockDevice": {"encrypted": True, "kmsKeyId": "k"}}),
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
    shutil.copyfile(Path(__file__).with_name("stand_in_aws.py"), plugin / "__main__.py")
    (plugin / "PulumiPlugin.yaml").write_text("runtime: {name: python, options: {virtualenv: ../.venv}}\n")
    (folder / "Pulumi.yaml").unlink()
    text = (PROJECT / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(f"{text}    - name: aws\n      path: stand-in\n")
    return made


def told(engine: Engine, *words: str, whole: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    planted = json.dumps({"whole": whole, "more": more})
    return engine(*words, "--stack", "test", "--policy-pack", PACK, PLANTED=planted)


def test_the_whole_stack_passes(engine: Engine) -> None:
    done = told(engine, "preview", whole=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aws:autoscaling:Group" in done.stdout
    assert "✅ sonarstack" in done.stdout


def test_planted_mistakes_stop_an_up_each_by_its_rule_before_anything_is_made(engine: Engine) -> None:
    done = told(engine, "up", "--yes", **{token: inputs | marks(inputs) for _, token, inputs in PLANTED})
    assert done.returncode != 0
    for rule, token, _ in PLANTED:
        _, module, kind = token.split(":")
        place = f"[mandatory]  {rule}  (aws:{module.partition('/')[0]}:{kind}: planted)"
        assert done.stdout.count(place) == 1, f"{place}\n{done.stdout}"
    assert done.stdout.count("[mandatory]") == len(PLANTED), done.stdout
    state = json.loads(engine("stack", "export", "--stack", "test").stdout)
    assert not state["deployment"].get("resources")


def marks(inputs: dict[str, Any]) -> dict[str, Any]:
    """The stamp, where it is not the mistake itself."""
    return {} if "tags" in inputs else {"tags": {"sonarstack:stamp": "x"}}
