"""A secret is taken out of the environment or a cloud's store, and stands nowhere afterwards."""

import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import app.secrets
from app.config.secret_settings import fill_from_secret
from app.config.settings import load_settings
from app.errors import SettingsError
from app.secrets import NOTIFY_URL, SEAL_KEY, SecretsManager, named_values
from tests.app.aws import REGION, aws
from tests.app.azure import Services

__all__ = ["aws"]

VALUE = "mailto://user:planted-pass@example.org"


def test_taken_once_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONARSTACK_SEAL_KEY", "planted")
    assert SecretsManager().take("SONARSTACK_SEAL_KEY") == "planted"
    assert "SONARSTACK_SEAL_KEY" not in os.environ
    child = "import os; print('SONARSTACK_SEAL_KEY' in os.environ)"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("variables", [{}, {"KEY": ""}])
def test_what_was_not_told_is_none(variables: dict[str, str]) -> None:
    assert SecretsManager(variables).take("KEY") is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f'{{"{NOTIFY_URL}": "{VALUE}", "OTHER": "x=y"}}', {NOTIFY_URL: VALUE, "OTHER": "x=y"}),
        (f"# ours\n{NOTIFY_URL}={VALUE}\n\nOTHER = x=y\n", {NOTIFY_URL: VALUE, "OTHER": "x=y"}),
    ],
)
def test_a_secret_holds_json_or_lines(text: str, values: dict[str, str]) -> None:
    assert named_values(text, "aws:one") == values


@pytest.mark.parametrize(
    "text",
    ["planted-value", "", "https://example.org/planted-value?a=b", '{"A": 1', '{"A": 1}', "A=1\nplanted"],
)
def test_a_secret_that_holds_neither_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="secret aws:one must hold a JSON object such as") as caught:
        named_values(text, "aws:one")
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secret_of_the_environment() -> None:
    variables = {"MINE": f"{NOTIFY_URL}={VALUE}"}
    secrets = SecretsManager(variables, secret_id="env:MINE")
    assert secrets.take(NOTIFY_URL) == VALUE
    assert variables == {}
    assert secrets.take(NOTIFY_URL) == VALUE
    with pytest.raises(SettingsError, match="secret env:MINE is not there: set the variable MINE"):
        SecretsManager({}, secret_id="env:MINE").take(NOTIFY_URL)


@pytest.mark.parametrize("secret_id", ["prod/secret", "vault:x", "aws:", "env:"])
def test_a_secret_of_no_store_is_refused(secret_id: str) -> None:
    with pytest.raises(SettingsError, match="names no store; allowed are aws:NAME-OR-ARN"):
        SecretsManager({}).read(secret_id)


def test_secret_of_aws_by_name_and_by_arn(aws: str) -> None:
    import boto3

    client = boto3.client("secretsmanager", region_name="us-west-2")
    arn = client.create_secret(Name="sonarstack/run", SecretString=f'{{"{SEAL_KEY}": "planted"}}')["ARN"]
    boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name="sonarstack/run", SecretString=f'{{"{SEAL_KEY}": "planted here"}}'
    )
    assert SecretsManager({}, secret_id="aws:sonarstack/run").take(SEAL_KEY) == "planted here"
    # An ARN knows its region, whatever the machine's is.
    assert SecretsManager({}, secret_id=f"aws:{arn}").take(SEAL_KEY) == "planted"
    assert SecretsManager({}, secret_id=arn).take(SEAL_KEY) == "planted"
    # What was told to this process comes first.
    assert SecretsManager({SEAL_KEY: "told"}, secret_id=arn).take(SEAL_KEY) == "told"


def test_secret_of_aws_that_is_not_there_says_what_to_do(aws: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"secret aws:no/such cannot be read \(ResourceNotFoundException\): check its name",
    ):
        SecretsManager({}).read("aws:no/such")


def test_a_binary_secret_of_aws_is_refused(aws: str) -> None:
    import boto3

    boto3.client("secretsmanager").create_secret(Name="bytes", SecretBinary=b"planted")
    with pytest.raises(SettingsError, match="secret aws:bytes holds bytes; store it as text"):
        SecretsManager({}).read("aws:bytes")


class Google:
    """Stands in for google-cloud-secret-manager's client: the real service was never met."""

    def access_secret_version(self, request: dict[str, str], timeout: float) -> Any:
        if request["name"] != "projects/p/secrets/run/versions/latest":
            raise PermissionError("403 planted")
        return SimpleNamespace(payload=SimpleNamespace(data=f"{NOTIFY_URL}={VALUE}".encode()))


class Azure:
    """Stands in for azure-keyvault-secrets' client: the real service was never met."""

    def get_secret(self, name: str, version: str | None = None) -> Any:
        if (name, version) not in {("run", None), ("run", "7")}:
            raise PermissionError("403 planted")
        return SimpleNamespace(value=f"{NOTIFY_URL}={VALUE}")


@pytest.mark.parametrize(
    ("secret_id", "client"),
    [
        ("gcp:projects/p/secrets/run", Google()),
        ("azure:https://v.vault.azure.net/secrets/run", Azure()),
        ("azure:https://v.vault.azure.net/secrets/run/7", Azure()),
    ],
)
def test_secrets_of_the_others_by_the_same_words(secret_id: str, client: Any) -> None:
    store = secret_id.partition(":")[0]
    assert SecretsManager({}, secret_id=secret_id, clients={store: client}).take(NOTIFY_URL) == VALUE


@pytest.mark.parametrize(
    ("secret_id", "client", "advice"),
    [
        ("gcp:projects/p/secrets/other", Google(), "roles/secretmanager.secretAccessor"),
        ("azure:https://v.vault.azure.net/secrets/other", Azure(), "Key Vault Secrets User"),
    ],
)
def test_no_right_says_which_and_quotes_nothing(secret_id: str, client: Any, advice: str) -> None:
    store = secret_id.partition(":")[0]
    with pytest.raises(SettingsError, match=advice) as caught:
        SecretsManager({}, clients={store: client}).read(secret_id)
    assert "planted" not in str(caught.value)


def test_secret_of_a_vault_by_the_machines_identity(services: Services) -> None:
    """The real SDK, answering the vault's challenge with a token of the metadata address."""
    pytest.importorskip("azure.keyvault.secrets", reason="needs azure-keyvault-secrets")
    services.there.secrets["run"] = f'{{"{SEAL_KEY}": "planted"}}'
    services.there.secrets["run/7"] = f'{{"{SEAL_KEY}": "planted before"}}'
    vault = f"azure:{services.there.address}/secrets"
    assert SecretsManager({}, secret_id=f"{vault}/run").take(SEAL_KEY) == "planted"
    assert SecretsManager({}, secret_id=f"{vault}/run/7").take(SEAL_KEY) == "planted before"
    assert services.there.challenges >= 1
    assert set(services.metadata.tokens_for) == {services.there.vaults}
    with pytest.raises(SettingsError, match=r"secrets/none cannot be read \(ResourceNotFoundError\)"):
        SecretsManager({}).read(f"{vault}/none")
    services.there.token = "another"
    with pytest.raises(SettingsError, match=r"HttpResponseError.*Key Vault Secrets User") as caught:
        SecretsManager({}).read(f"{vault}/run")
    assert "planted" not in str(caught.value)


def test_a_vault_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("azure.keyvault.secrets", reason="needs azure-keyvault-secrets")
    monkeypatch.setattr(app.secrets, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(app.secrets, "TRIES", 2)
    told: list[str] = []

    def read(address: str) -> None:
        try:
            SecretsManager({}).read(f"azure:{address}/secrets/run")
        except SettingsError as error:
            told.append(str(error))

    # It takes connections and answers none, as behind a door that is closed.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        reader = threading.Thread(target=read, args=(address,), daemon=True)
        reader.start()
        reader.join(20)
    assert told, "it still waits"
    assert told[0].startswith(f"secret azure:{address}/secrets/run cannot be read (Service")


@pytest.mark.parametrize("secret_id", ["gcp:run", "azure:run"])
def test_wrong_names_of_the_others(secret_id: str) -> None:
    with pytest.raises(SettingsError, match=r"must be (gcp:projects|azure:https)"):
        SecretsManager({}, clients={"gcp": Google(), "azure": Azure()}).read(secret_id)


def test_a_store_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SettingsError, match=r"needs boto3: pip install 'sonarstack\[cloud\]'"):
        SecretsManager({}).read("aws:one")


def test_settings_are_filled_from_the_secret_and_what_is_set_stays() -> None:
    secrets = SecretsManager({"MINE": f"{NOTIFY_URL}={VALUE}"}, secret_id="env:MINE")
    bare = load_settings(variables={}).settings
    filled = fill_from_secret(bare, secrets)
    assert filled.cloud.notify_url == VALUE
    assert VALUE not in repr(filled)
    told = load_settings(variables={NOTIFY_URL: "json://127.0.0.1"}).settings
    assert fill_from_secret(told, secrets).cloud.notify_url == "json://127.0.0.1"
    assert fill_from_secret(bare, SecretsManager({})) is bare
