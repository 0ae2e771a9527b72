"""The local target's program under mocks: what it declares, and what it refuses."""

from pathlib import Path

import pytest

from infra.errors import DockerError, SettingsError
from infra.local.docker_engine import DockerFacts, ask_docker
from infra.local.gpu import choose_gpus
from infra.local.machine import Machine
from infra.project_code import CODE
from infra.specs import SEAM_LABEL, SEAM_VERSION
from stacks import local
from stacks.mock_run import declare
from stacks.settings import parse_settings

DOCKER = DockerFacts(
    address="unix:///d.sock", version="20.10", architecture="amd64", cores=2, memory_gib=24, gpu=False
)
MACHINE = Machine(docker=DOCKER, uid=1234, gid=1234)


def declared(tmp_path, machine: Machine = MACHINE, **settings: str) -> dict:
    values = {"target": "local", "dataUrl": str(tmp_path), **settings}
    parsed = parse_settings({f"sonarstack:{k}": v for k, v in values.items()})
    made = declare(lambda: local.deploy(parsed, "local", machine), project="sonarstack", stack="local")
    names = [one.name for one in made]
    assert len(names) == len(set(names))
    assert not [one.name for one in made if "Calling __str__" in str(one.inputs)]
    return {one.name: one for one in made}


def test_a_container_may_do_nothing_but_compute_and_write_its_run(tmp_path) -> None:
    inputs = declared(tmp_path)["training-container"].inputs
    assert inputs["networkMode"] == "none"
    assert inputs["user"] == "1234:1234"
    assert inputs["readOnly"] is True
    assert inputs["capabilities"]["drops"] == ["ALL"]
    assert inputs["securityOpts"] == ["no-new-privileges:true"]
    assert inputs["memory"] == inputs["memorySwap"] == 8192
    assert "privileged" not in inputs
    assert "ports" not in inputs
    volumes = {v["containerPath"]: v for v in inputs["volumes"]}
    assert volumes["/data"]["readOnly"] is True
    assert volumes["/runs/local"]["readOnly"] is False


def test_a_home_that_cannot_be_made_is_one_line(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        SettingsError, match=r"file/run, .*cannot be made \(Not a directory\); set sonarstack:home"
    ):
        MACHINE.prepare_folder(tmp_path / "file" / "run")


def test_a_job_that_ended_is_no_difference(tmp_path) -> None:
    inputs = declared(tmp_path)["training-container"].inputs
    assert inputs["mustRun"] is False
    assert inputs["rm"] is False
    assert inputs["restart"] == "no"


def test_the_container_runs_the_image_by_its_digest(tmp_path) -> None:
    made = declared(tmp_path)
    assert made["training-container"].inputs["image"] == "sha256:image-build"
    assert made["image-cleanup"].inputs["reference"] == "sha256:image-build"
    assert made["image-build"].inputs["skipPush"] is True


def test_tensorboard_is_on_loopback_only_and_can_be_left_out(tmp_path) -> None:
    board = declared(tmp_path, tensorboardPort="7007")["board-container"].inputs
    assert board["ports"] == [{"internal": 6006, "external": 7007, "ip": "127.0.0.1"}]
    assert all(v["readOnly"] for v in board["volumes"])
    assert "board-container" not in declared(tmp_path, tensorboard="false")


def test_every_child_has_a_parent_and_a_name_that_begins_with_it(tmp_path) -> None:
    made = declared(tmp_path)
    by_urn = {one.urn: one for one in made.values()}
    for one in made.values():
        if one.parent in by_urn:
            assert one.name.startswith(by_urn[one.parent].name)
        if not one.custom:
            assert one.token.startswith("sonarstack:local:")


def test_remote_data_opens_the_way_out_and_mounts_nothing(tmp_path) -> None:
    inputs = declared(tmp_path, dataUrl="s3://bucket/tiles")["training-container"].inputs
    assert inputs["networkMode"] == "bridge"
    assert inputs["networksAdvanced"]
    assert "/data" not in {v["containerPath"] for v in inputs["volumes"]}
    assert "SONARSTACK_DATA_URL=s3://bucket/tiles" in inputs["envs"]


def with_labels(labels: dict[str, str] | None) -> Machine:
    return Machine(docker=DOCKER, uid=1, gid=1, labels=lambda _address, _image: labels)


@pytest.mark.parametrize("labels", [{SEAM_LABEL: str(SEAM_VERSION)}, None])
def test_an_image_of_ones_own_is_not_built(tmp_path, labels) -> None:
    made = declared(tmp_path, with_labels(labels), image="mine@sha256:1")
    assert made["training-container"].inputs["image"] == "mine@sha256:1"
    assert "image-build" not in made


@pytest.mark.parametrize(
    ("labels", "says"),
    [({}, "has no label org.sonarstack.seam"), ({SEAM_LABEL: "0"}, "says org.sonarstack.seam=0")],
)
def test_an_image_of_another_seam_is_refused_before_anything_is_made(tmp_path, labels, says) -> None:
    with pytest.raises(SettingsError, match=f"image='mine:1' {says}, this stack speaks version 1; build it"):
        declared(tmp_path, with_labels(labels), image="mine:1")


def test_another_run_has_another_folder_and_another_container(tmp_path) -> None:
    first, again = declared(tmp_path), declared(tmp_path, rerun="2")
    assert again["run"].inputs["home"].endswith("runs/local-2")
    assert first["training-container"].inputs["labels"] != again["training-container"].inputs["labels"]


def test_a_gpu_is_passed_through_where_docker_has_one(tmp_path) -> None:
    facts = DockerFacts(address="u", version="", architecture="amd64", cores=1, memory_gib=1, gpu=True)
    made = declared(tmp_path, Machine(docker=facts))
    assert made["training-container"].inputs["gpus"] == "all"
    assert made["image-build"].inputs["build"]["dockerfile"].endswith("images/cuda/Dockerfile")


@pytest.mark.parametrize(
    ("request_", "has", "gpus"),
    [("auto", True, "all"), ("auto", False, None), ("none", True, None), ("all", True, "all")],
)
def test_the_gpu_setting(request_, has, gpus) -> None:
    choice = choose_gpus(request_, docker_has_gpu=has)
    assert choice.gpus == gpus
    assert choice.reason


def test_all_gpus_where_there_are_none() -> None:
    with pytest.raises(
        DockerError, match="gpu=all, and Docker has no nvidia runtime; install nvidia-container-toolkit"
    ):
        choose_gpus("all", docker_has_gpu=False)


def test_without_docker_the_process_mode_is_offered(tmp_path) -> None:
    machine = Machine.look(f"unix://{tmp_path}/none.sock")
    with pytest.raises(DockerError, match=r"does not answer at unix://.*sonarstack:mode process"):
        declared(tmp_path, machine)
    assert "training" in declared(tmp_path, machine, mode="process")


def test_an_address_docker_cannot_have() -> None:
    with pytest.raises(DockerError, match="cannot be asked; give unix:///path"):
        ask_docker("ftp://host")


def test_a_process_is_the_same_job_under_the_same_variables(tmp_path) -> None:
    made = declared(tmp_path, mode="process", maxHours="1.5", trainArguments='["--epochs", "3"]')
    inputs = made["training"].inputs
    assert inputs["argv"][1:4] == ["-m", "app", "train"]
    assert inputs["argv"][-2:] == ["--epochs", "3"]
    assert inputs["variables"]["SONARSTACK_MAX_HOURS"] == "1.5"
    assert set(made) == {"training", "run"}


def test_a_server_gets_code_and_data_and_then_the_job(tmp_path) -> None:
    made = declared(tmp_path, gpuServer="ssh://me@gpu:2222", gpuServerHostKey="ssh-ed25519 AAAA")
    assert made["server-code"].inputs["host"] == {
        "address": "ssh://me@gpu:2222",
        "hostKey": "ssh-ed25519 AAAA",
    }
    assert made["server-code"].inputs["only"] == list(CODE)
    start = made["server-run"].inputs["start"]
    assert start["variables"]["SONARSTACK_DATA_URL"] == "../data"
    assert start["argv"][2].startswith("sh setup.sh .venv && exec .venv/bin/python -m app train --run ../run")
    assert made["server-run"].inputs["runHost"]["address"] == "ssh://me@gpu:2222"


def test_data_that_is_not_there_is_refused_with_a_way_to_make_some(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"is no folder here; .* app simulate --tiles 240 --out .*none"):
        declared(tmp_path, dataUrl=str(tmp_path / "none"))


def test_a_folder_for_the_run_is_made_for_the_jobs_user(tmp_path) -> None:
    machine = Machine.look(f"unix://{tmp_path}/none.sock")
    machine.prepare_folder(tmp_path / "runs" / "x")
    found = Path(tmp_path / "runs" / "x").stat()
    assert (found.st_uid, found.st_gid) == (machine.uid, machine.gid)
    assert machine.uid != 0
