"""Settings of the stacks: every mistake at once, each with what is allowed."""

import re
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from infra.errors import SettingsError
from stacks.configs import TARGETS, LocalSettings
from stacks.settings import parse_settings, parse_words, read_pulumi_config, read_stack_file

PROJECT = Path(__file__).resolve().parents[2]
LOCAL = {"target": "local", "dataUrl": "tiles"}
RUNPOD = {"target": "runpod", "dataUrl": "tiles", "maxUsdPerH": "0.8"}
AWS = {"target": "aws", "dataUrl": "tiles", "maxUsdPerH": "0.8"}
AZURE = {"target": "azure", "dataUrl": "tiles", "maxUsdPerH": "0.6"}


def parse(settings: dict[str, str], **changed: str):
    return parse_settings({f"sonarstack:{k}": v for k, v in {**settings, **changed}.items()})


def test_texts_become_values() -> None:
    settings = parse(
        LOCAL, maxHours="2.5", wait="true", trainArguments='["--epochs", "3"]', tensorboardPort="7007.0"
    )
    assert isinstance(settings, LocalSettings)
    assert settings.max_hours == 2.5
    assert settings.wait is True
    assert settings.train_arguments == ("--epochs", "3")
    assert settings.tensorboard_port == 7007


def test_an_empty_text_is_not_given() -> None:
    assert parse(LOCAL, maxUsd="", runUrl="").max_usd is None


def test_keys_of_other_programs_are_left_alone() -> None:
    assert parse_settings(
        {"aws:region": "eu-north-1", "sonarstack:target": "local", "sonarstack:dataUrl": "t"}
    )


@pytest.mark.parametrize(
    ("base", "changed", "message"),
    [
        ({}, {}, r"sonarstack:target is not set; allowed are local, runpod, aws, azure"),
        ({}, {"target": "gcp"}, r"sonarstack:target='gcp'; allowed are local, runpod, aws, azure"),
        ({"target": "local"}, {}, r"sonarstack:dataUrl is not set: Folder of labelled tiles"),
        (LOCAL, {"maxHours": "0"}, r"maxHours='0': input should be greater than 0 \(Hours"),
        (LOCAL, {"maxHours": "1000"}, r"maxHours='1000': input should be less than or equal to 720"),
        (LOCAL, {"maxHours": "two"}, r"maxHours='two': input should be a valid number"),
        (LOCAL, {"maxHours": "nan"}, r"maxHours='nan': input should be"),
        (LOCAL, {"mode": "vm"}, r"mode='vm': input should be 'container' or 'process'"),
        (LOCAL, {"gpu": "yes"}, r"gpu='yes': input should be 'auto', 'none' or 'all'"),
        (LOCAL, {"device": "tpu"}, r"device='tpu': .*auto, cpu, cuda, cuda:N, mps, xpu"),
        (LOCAL, {"recipe": "best"}, r"recipe='best': input should be 'smoke', 'baseline' or 'fine_tune'"),
        (LOCAL, {"wait": "perhaps"}, r"wait='perhaps': input should be a valid boolean"),
        (LOCAL, {"maxHour": "1"}, r"sonarstack:maxHour is unknown; allowed are .*maxHours"),
        (LOCAL, {"trainArguments": "--epochs 3"}, r"trainArguments='--epochs 3': must be JSON such as"),
        (LOCAL, {"trainArguments": '["--run", "x"]'}, r"trainArguments holds --run, which the stack sets itself"),
        (LOCAL, {"trainArguments": '["--run=x"]'}, r"trainArguments holds --run, which the stack sets itself"),
        (AWS, {"trainArguments": '["--mirror", "s3://b/x"]'}, r"trainArguments holds --mirror, which the stack sets"),
        (AWS, {"trainArguments": '["--max-usd=99"]'}, r"trainArguments holds --max-usd, which the stack sets itself"),
        (LOCAL, {"gpuServer": "me@host"}, r"gpuServer='me@host': .*ssh://user@host"),
        (LOCAL, {"gpuServerHostKey": "ssh-ed25519 AAAA"}, r"need sonarstack:gpuServer"),
        (LOCAL, {"tensorboardPort": "80"}, r"tensorboardPort='80': .*1024"),
        (LOCAL, {"memoryGib": "0.1"}, r"memoryGib='0.1': input should be greater than or equal to 1"),
        (LOCAL, {"device": "cuda", "gpu": "none"}, r"device=cuda needs a GPU, sonarstack:gpu=none hides it"),
        (LOCAL, {"device": "mps"}, r"device=mps cannot be reached from a container; set sonarstack:mode to process"),
        (LOCAL, {"image": "a:b", "buildArgs": '{"X": "1"}'}, r"leave one of them out"),
        (LOCAL, {"runUrl": "some/folder"}, r"runUrl='some/folder' is no address; give s3://"),
        (LOCAL, {"maxUsd": "5"}, r"maxUsd=5 cannot be counted without a price; set sonarstack:priceUsdPerH"),
        (LOCAL, {"rerun": "a b"}, r"rerun='a b': "),
        ({**RUNPOD, "maxUsdPerH": ""}, {}, r"maxUsdPerH is not set: Dollars an hour at most"),
        (RUNPOD, {"maxUsdPerH": "-1"}, r"maxUsdPerH='-1': input should be greater than 0"),
        (RUNPOD, {"gpus": "[]"}, r'gpus is empty; name at least one, such as \["RTX 4090"\]'),
        (RUNPOD, {"gpus": '["A100 40GB"]'}, r"A100 with 40 GB, which Runpod does not have"),
        (RUNPOD, {"gpuCount": "0"}, r"gpuCount='0': input should be greater than or equal to 1"),
        (RUNPOD, {"volumeGib": "5"}, r"volumeGib=5 is below Runpod's least of 10"),
        (RUNPOD, {"cloud": "community", "volumeGib": "20"}, r"community has no network volumes; set .*volumeGib to 0"),
        (RUNPOD, {"dataCenters": '["eu-ro-1"]'}, r"dataCenters holds eu-ro-1; .* capitals"),
        (RUNPOD, {"market": "spot"}, r"market='spot': input should be 'on_demand' .*spot and bids ended there"),
        (RUNPOD, {"image": "me/sonarstack"}, r"image='me/sonarstack' has no tag"),
        (RUNPOD, {"image": "host:5000/sonarstack"}, r"image='host:5000/sonarstack' has no tag"),
        (RUNPOD, {"registryUsername": "me"}, r"registryUsername and registryPassword go together"),
        (RUNPOD, {"sealed": "true", "dataUrl": "s3://b/t"}, r"sealed keeps a folder's tiles encrypted"),
        (RUNPOD, {"device": "cpu"}, r"device=cpu would leave a rented GPU idle"),
        (AWS, {"instanceTypes": '["p3.2xlarge"]'}, r"p3.2xlarge .* is retired, .*take one of g4dn.xlarge"),
        (AWS, {"instanceTypes": '["big"]'}, r"'big' is no instance type with a GPU"),
        (AWS, {"gpus": '["T4"]'}, r"gpus is not used on aws"),
        (AWS, {"gpuCount": "2"}, r"gpuCount is not used on aws"),
        (AWS, {"region": "Frankfurt"}, r"region='Frankfurt': .*us-east-1"),
        (AWS, {"market": "bid"}, r"market='bid': input should be 'spot' or 'on_demand'"),
        (AZURE, {"sizes": '["Standard_NC6s_v3"]'}, r"NC6s_v3 .*retired 2025-09-30.*take one of Standard_NC4as"),
        (AZURE, {"sizes": '["big"]'}, r"sonarstack:sizes: 'big' is no size with a GPU"),
        (AZURE, {"sizes": "[]"}, r"no size is named"),
        (AZURE, {"gpus": '["T4"]'}, r"gpus is not used on azure; name sizes in sonarstack:sizes"),
        (AZURE, {"location": "East US"}, r"location='East US': .*short name, such as eastus"),
        (AZURE, {"subscription": "mine"}, r"subscription='mine': "),
        (AZURE, {"login": "entra"}, r"login entra needs sonarstack:bastion true"),
        (AZURE, {"diskGib": "32"}, r"diskGib='32': input should be greater than or equal to 64"),
        (AZURE, {"imageVersion": "newest"}, r"imageVersion='newest': "),
        (AZURE, {"callerAddress": "home"}, r"callerAddress='home': "),
        (AZURE, {"runUrl": "az://x/y"}, r"runUrl is not used on azure"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_is_allowed(base, changed, message) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        parse(base, **changed)
    if base and "target" in base:
        assert "1 mistake\n" in str(caught.value)


@pytest.mark.parametrize("key", ["notifyUrl", "registryPassword"])
def test_what_is_secret_is_not_quoted(key, tmp_path) -> None:
    text = "config: {sonarstack:target: runpod, sonarstack:dataUrl: tiles, sonarstack:maxUsdPerH: 1, KEY: [planted]}"
    (tmp_path / "Pulumi.mine.yaml").write_text(text.replace("KEY", f"sonarstack:{key}"))
    with pytest.raises(
        SettingsError, match=rf"sonarstack:{key}=\(hidden\): input should be a valid string"
    ) as told:
        read_stack_file(tmp_path, "mine")
    assert "planted" not in str(told.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse({"target": "runpod"}, cloud="moon", gpuCount="many", colour="red", dataCenters='["eu"]')
    text = str(caught.value)
    assert "6 mistakes" in text
    for key in ("dataUrl", "maxUsdPerH", "gpuCount", "colour", "cloud", "dataCenters"):
        assert f"sonarstack:{key}" in text


def test_a_wrong_setting_does_not_accuse_others() -> None:
    with pytest.raises(SettingsError, match="1 mistake\n") as caught:
        parse(RUNPOD, cloud="community", volumeGib="none")
    assert "volumeGib" in str(caught.value)


@pytest.mark.parametrize("word", ["maxHours", "=3", ""])
def test_a_word_that_is_no_setting(word) -> None:
    with pytest.raises(SettingsError, match="not key=value"):
        parse_words([word])


def test_words_take_precedence_over_the_file() -> None:
    settings = read_stack_file(PROJECT, "local", ["maxHours=3", "sonarstack:mode=process"])
    assert settings.max_hours == 3
    assert isinstance(settings, LocalSettings)
    assert settings.mode == "process"


def test_a_stack_without_a_file(tmp_path) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    with pytest.raises(
        SettingsError, match=r"Pulumi.night.yaml does not exist; stacks with settings here are local"
    ):
        read_stack_file(tmp_path, "night")


@pytest.mark.parametrize(("text", "message"), [("config: [", "YAML"), ("runtime: x", "no `config:` section")])
def test_a_damaged_file(tmp_path, text, message) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_stack_file(tmp_path, "local")


def test_the_engine_passes_settings_in_its_variable(monkeypatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", '{"sonarstack:target": "local", "sonarstack:dataUrl": "tiles"}')
    assert read_pulumi_config().data_url == "tiles"


@pytest.mark.parametrize("target", TARGETS)
def test_the_projects_own_stacks_are_right_and_name_every_setting(target) -> None:
    settings = read_stack_file(PROJECT, target)
    assert isinstance(settings, TARGETS[target])
    text = (PROJECT / f"Pulumi.{target}.yaml").read_text()
    for name in TARGETS[target].model_fields:
        if target not in ("aws", "azure") or name not in ("gpus", "gpu_count", "run_url"):  # not used there
            assert re.search(rf"^  (# )?sonarstack:{to_camel(name)}:", text, re.MULTILINE), name


@pytest.mark.parametrize("target", TARGETS)
def test_settings_commented_out_are_right_too(target, tmp_path) -> None:
    lines = (PROJECT / f"Pulumi.{target}.yaml").read_text().splitlines()
    for line in lines:
        found = re.match(r"  # sonarstack:(\w+): (.*?)(\s+#.*)?$", line)
        if not found:
            continue
        key, value = found[1], found[2].strip()
        (tmp_path / "Pulumi.x.yaml").write_text(
            "\n".join(
                [*(one for one in lines if not one.strip().startswith("#")), f"  sonarstack:{key}: {value}"]
            )
        )
        # A setting may need its partner; it must never be wrong by itself.
        told = _refusal(tmp_path)
        assert f"sonarstack:{key}={value}" not in told
        assert "unknown" not in told


def _refusal(folder: Path) -> str:
    try:
        read_stack_file(folder, "x")
    except SettingsError as error:
        return str(error)
    return ""
