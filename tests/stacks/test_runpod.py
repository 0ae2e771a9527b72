"""What the Runpod target declares, under Pulumi's mocks: names, stamps, order, what is secret and what is open."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.journal import Journal
from infra.naming import stamp
from infra.project_code import CODE
from infra.runpod.account import account_address
from infra.specs import SEAM_LABEL, SEAM_VERSION
from stacks.mock_run import SHOWN_SECRET, Declared, declare
from stacks.money import money_of
from stacks.runpod import _compare_image, deploy, program_to_plan, rates, refuse_unprepared
from stacks.settings import parse_settings
from tests.fake_registry import LOGIN, registry
from tests.infra.runpod.things import lease

__all__ = ["registry"]

STAMP = stamp("sonarstack", "night")


@pytest.fixture
def stack(tmp_path, monkeypatch):
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / "a.png").touch()
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_planted")

    def run(**changed: object) -> dict[str, Declared]:
        return declared(settings(**changed))

    def settings(**changed: object):
        given = {"target": "runpod", "dataUrl": str(tmp_path / "tiles"), "maxUsdPerH": "0.8", **changed}
        return parse_settings(
            {f"sonarstack:{key}": value for key, value in given.items() if value is not None}
        )

    def declared(it) -> dict[str, Declared]:
        found = declare(lambda: deploy(it, "night", quiet=True), project="sonarstack", stack="night")
        return {one.name: one for one in found}

    run.settings = settings
    return run


def test_everything_hangs_under_one_component_and_carries_the_stamp(stack) -> None:
    made = stack()
    assert [one.token.rsplit(":", 1)[-1] for one in made.values()] == [
        "PodTraining", "Leftovers", "NetworkVolume", "Pod", "PodReady", "Upload", "Upload", "TrainingRun",
    ]  # fmt: skip
    root = made["training"].urn
    assert all(one.parent == root for one in made.values() if one.name != "training")
    assert made["training-pod"].inputs["stamp"] == STAMP
    assert made["training-volume"].inputs["name"].startswith(STAMP)
    for name in ("training-code", "training-data"):
        assert made[name].inputs["target"].startswith(f"/workspace/{STAMP}/")
    assert made["training-run"].inputs["runPath"] == f"/workspace/{STAMP}/run"
    assert made["training-run"].inputs["start"]["cwd"] == f"/workspace/{STAMP}/code"


def test_no_secret_is_in_the_clear(stack) -> None:
    made = stack(
        notifyUrl="json://planted-token",
        image="me/private:1",
        registryUsername="me",
        registryPassword="planted-password",
    )
    assert made["training-registry"].inputs["password"] == SHOWN_SECRET
    assert made["training-run"].inputs["secrets"] == SHOWN_SECRET
    assert "planted" not in str({name: one.inputs for name, one in made.items()})


def test_of_the_project_nothing_goes_there_but_the_code(stack) -> None:
    sent = stack()["training-code"].inputs
    assert sent["only"] == list(CODE)
    assert {"app", "images", "pyproject.toml"} <= set(sent["only"])


def test_hours_and_price_are_told_at_the_start_and_are_no_part_of_the_job(stack) -> None:
    run = stack(maxHours="3")["training-run"].inputs
    told = run["start"]["variables"]
    assert not {"SONARSTACK_MAX_HOURS", "SONARSTACK_PRICE_USD_PER_H", "SONARSTACK_SPENT_USD"} & told.keys()
    assert told["SONARSTACK_DATA_URL"] == "../data"
    assert {"leaseUntil", "priceUsdPerH", "stamp", "run", "account"} == run["terms"].keys()
    assert stack(maxHours="4")["training-run"].inputs["start"] == run["start"]


def test_the_community_cloud_has_no_volume_and_is_sealed(stack) -> None:
    made = stack(cloud="community")
    assert "training-volume" not in made
    assert made["training-data"].inputs["seal"] == STAMP
    assert made["training-run"].inputs["seal"] == STAMP
    assert "seal" not in made["training-code"].inputs
    assert "seal" not in stack()["training-data"].inputs
    assert made["training-run"].inputs["start"]["variables"]["SONARSTACK_SEALED"] == "1"


def test_another_job_is_another_digest_and_another_ceiling_is_not(stack, tmp_path) -> None:
    first = stack()["training-pod"].inputs["job"]
    assert stack(maxUsdPerH="0.9", maxHours="7")["training-pod"].inputs["job"] == first
    assert stack(recipe="smoke")["training-pod"].inputs["job"] != first
    assert stack(rerun="2")["training-pod"].inputs["job"] != first
    (tmp_path / "tiles" / "b.png").write_bytes(b"more")
    assert stack()["training-pod"].inputs["job"] != first


def test_another_run_has_other_folders(stack) -> None:
    run = stack(rerun="2")["training-run"].inputs
    assert run["runPath"] == f"/workspace/{STAMP}/run-2"
    assert Path(run["home"]).name == "night-2"


def test_an_own_image_and_an_open_notebook(stack) -> None:
    pod = stack(image="me/sonarstack:1", expose=True)["training-pod"].inputs
    assert (pod["image"], pod["ownImage"], pod["expose"]) == ("me/sonarstack:1", True, True)
    assert "--run ../run" in stack()["training-run"].inputs["start"]["argv"][2]


def test_what_all_machines_may_cost_is_the_limit_less_storage_and_the_way_home(stack) -> None:
    pod = stack(maxUsd="6", maxHours="5", volumeGib="73")["training-pod"].inputs
    assert pod["machinesUsd"] == pytest.approx(6 - 0.2 - 5 * 73 * 0.07 / 730)
    assert "machinesUsd" not in stack(maxUsd=None)["training-pod"].inputs


def test_the_worst_case_of_a_stack_is_what_its_run_has_left(stack, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = stack.settings(maxUsd="6", maxHours="5")
    whole = money_of(settings, "night")
    now = datetime.now(UTC)
    Journal().write(
        lease(
            account=account_address(), stamp=STAMP, run="night", rented_at=now - timedelta(hours=9),
            ended_at=now, billed_usd=5.0,
        )
    )  # fmt: skip
    left = money_of(settings, "night")
    assert (whole.lease_hours, whole.spent_usd, left.spent_usd) == (5, 0, 5)
    assert left.lease.total_usd + 5 <= 6
    assert 0 < left.lease_hours < 1
    assert any("another machine gets a lease of" in line for line in left.lines())
    assert money_of(settings, "day").spent_usd == money_of(settings).spent_usd == 0


def test_the_worst_case_counts_the_way_home(stack) -> None:
    assert rates(stack.settings()).bring_home_usd == pytest.approx(0.2)
    assert rates(stack.settings(cloud="community")).bring_home_usd == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda m: m.delenv("RUNPOD_API_KEY"), "Runpod needs RUNPOD_API_KEY"),
        (lambda m: m.setenv("PATH", "/nowhere"), "ssh, ssh-keygen, rsync not found"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_rented(stack, monkeypatch, spoil, says) -> None:
    spoil(monkeypatch)
    with pytest.raises(Exception, match=says):
        refuse_unprepared(stack.settings())


@pytest.mark.parametrize(
    ("labels", "says"),
    [({}, f"has no label {SEAM_LABEL}"), ({SEAM_LABEL: "0"}, f"says {SEAM_LABEL}=0")],
)
def test_an_image_of_another_seam_is_refused_before_anything_is_rented(stack, registry, labels, says) -> None:
    registry.put(labels)
    image = f"{registry.address}/team/base:1.0"
    with pytest.raises(
        SettingsError, match=f"{says}, this stack speaks version {SEAM_VERSION}; build it"
    ) as raised:
        refuse_unprepared(stack.settings(image=image))
    assert "\n" not in str(raised.value)


def test_an_image_of_this_seam_is_taken(stack, registry) -> None:
    registry.put({SEAM_LABEL: str(SEAM_VERSION)})
    registry.private = True
    settings = stack.settings(
        image=f"{registry.address}/team/base:1.0", registryUsername=LOGIN[0], registryPassword=LOGIN[1]
    )
    assert _compare_image(settings) is None
    registry.put({SEAM_LABEL: "0"})
    with pytest.raises(SettingsError, match="says"):
        _compare_image(settings)


@pytest.mark.parametrize("image", ["{}/team/private:1.0", "127.0.0.1:1/team/base:1.0"])
def test_an_image_whose_registry_does_not_tell_is_a_remark(stack, registry, image) -> None:
    settings = stack.settings(image=image.format(registry.address))
    refuse_unprepared(settings)
    remark = _compare_image(settings)
    assert remark is not None
    assert "cannot be compared before a pod is rented: registry 127.0.0.1:" in remark


def test_a_look_asks_no_registry(stack, registry) -> None:
    settings = stack.settings(image=f"{registry.address}/team/base:1.0")
    program, warnings = program_to_plan(settings, "night")
    declare(program, project="sonarstack", stack="night")
    assert registry.asked == []
    assert not [line for line in warnings if "up would refuse" in line]
