"""Where settings come from, and what is said of wrong ones."""

from pathlib import Path

import pytest

from app.config.settings import VARIABLES, Settings, environments, flat_settings, load_settings
from app.errors import SettingsError


def test_defaults_are_the_cpu_as_it_always_was() -> None:
    loaded = load_settings(variables={})
    assert loaded.settings == Settings()
    assert loaded.settings.device == "cpu"
    assert loaded.sources == {}


def test_each_level_wins_over_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("device: mps\nseed: 3\nepochs: 5\ndevices:\n  cpu:\n    batch_size: 4\n")
    loaded = load_settings(
        str(file),
        variables={"SONARSTACK_DEVICE": "cuda", "SONARSTACK_MAX_USD": "2.5"},
        overrides={"epochs": 9, "data": None},
    )
    settings = loaded.settings
    assert (settings.device, settings.seed, settings.epochs) == ("cuda", 3, 9)
    assert settings.devices.cpu.batch_size == 4
    assert settings.cloud.max_usd == 2.5
    assert loaded.sources["device"] == "SONARSTACK_DEVICE"
    assert loaded.sources["seed"] == str(file)
    assert loaded.sources["epochs"] == "command line"
    assert "data" not in loaded.sources


def test_environment_can_be_named_by_a_variable() -> None:
    assert load_settings(variables={"SONARSTACK_ENVIRONMENT": "gpu"}).settings.device == "cuda"


@pytest.mark.parametrize("name", environments())
def test_shipped_environments_load(name: str) -> None:
    assert load_settings(name, variables={}).sources


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_a_clouds_environment_is_a_gpus_that_listens_to_its_cloud(cloud: str) -> None:
    rented, gpu = (load_settings(name, variables={}).settings for name in (cloud, "gpu"))
    assert rented.cloud.provider == cloud
    assert rented.model_copy(update={"cloud": gpu.cloud}) == gpu
    # What a stack tells comes after it.
    told = load_settings(cloud, variables={"SONARSTACK_CLOUD": "local", "SONARSTACK_DEVICE": "cpu"}).settings
    assert (told.cloud.provider, told.device) == ("local", "cpu")


def test_each_clouds_own_variable_says_where_its_metadata_is() -> None:
    for name in ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        loaded = load_settings(variables={name: "http://127.0.0.1:9"})
        assert loaded.settings.cloud.metadata_url == "http://127.0.0.1:9"
        assert loaded.sources["cloud.metadata_url"] == name


def test_empty_variables_are_not_given() -> None:
    assert load_settings(variables={"SONARSTACK_DEVICE": ""}).settings.device == "cpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise: cpu", r"devise \(.*mine.yaml\) is unknown; allowed are .*device.*recipe"),
        (
            "device: gpu",
            r"device='gpu' \(.*mine.yaml\): allowed are auto, cpu, cuda, cuda:N, mps, xpu and xpu:N$",
        ),
        ("nproc: x", r"nproc='x' \(.*mine.yaml\): allowed are auto and a number from 1 on$"),
        ("nproc: 0", r"nproc=0 .*a number from 1 on$"),
        ("nproc: yes", r"nproc=True .*a number from 1 on$"),
        ("recipe: best", r"recipe='best' .*'smoke', 'baseline' or 'fine_tune'"),
        ("epochs: 0", r"epochs=0 .*greater than or equal to 1"),
        ("epochs: many", r"epochs='many' .*valid integer"),
        ("size_px: 300", r"size_px=300 .*multiple of 32"),
        ("seed: -1", r"seed=-1 .*greater than or equal to 0"),
        ("min_score: 1.5", r"min_score=1.5 .*less than or equal to 1"),
        ("devices:\n  cpu:\n    batch: 3", r"devices.cpu.batch .*is unknown; allowed are batch_size"),
        ("devices:\n  tpu:\n    batch_size: 3", r"devices.tpu.* is unknown; allowed are cpu, cuda, mps, xpu"),
        ("devices:\n  cuda:\n    memory_limit: 2", r"devices.cuda.memory_limit=2 .*less than or equal to 1"),
        ("devices:\n  cpu:\n    dtype: int8", r"devices.cpu.dtype='int8' .*match pattern"),
        ("cloud:\n  max_usd: -3", r"cloud.max_usd=-3 .*greater than 0"),
        ("cloud:\n  log_provider: pigeon", r"cloud.log_provider='pigeon' .*'local'"),
        ("fallback: gpu", r"fallback='gpu' .*'cpu'"),
        ("- a\n- b", r"must hold 'key: value' lines, not a list"),
        ("device: [", r"is not YAML \(line"),
    ],
)
def test_wrong_settings_name_key_file_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(str(file), variables={})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", ["[slack://planted/a, ntfy://b]", "{url: slack://planted}", "7654321"])
def test_an_address_that_may_hold_a_token_is_not_quoted(tmp_path: Path, given: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"cloud:\n  notify_url: {given}\n")
    with pytest.raises(SettingsError, match=r"cloud.notify_url=\(hidden\) .*valid string") as caught:
        load_settings(str(file), variables={})
    assert "planted" not in str(caught.value)
    assert "7654321" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("epochs: 0\nsurprise: 1\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(str(file), variables={"SONARSTACK_MAX_HOURS": "soon", "SONARSTACK_COLOUR": "red"})
    text = str(caught.value)
    for part in ("epochs", "surprise", "SONARSTACK_MAX_HOURS", "SONARSTACK_COLOUR"):
        assert part in text


def test_missing_file_and_unknown_environment(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(str(tmp_path / "none.yaml"), variables={})
    with pytest.raises(
        SettingsError,
        match=r"environment 'moon' does not exist; choose one of aws, azure, ci, gpu, laptop, local",
    ):
        load_settings("moon", variables={})


def test_every_variable_sets_a_setting_that_exists() -> None:
    assert set(VARIABLES.values()) <= set(flat_settings(Settings()))
