"""Secrets of a run: told in its environment, which is memory and no file, or read from a cloud's secret store.

The only other reader of the environment. No error names a value.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from app.errors import SettingsError

SEAL_KEY = "SONARSTACK_SEAL_KEY"
"""The age identity of a sealed run; comes over SSH, into this process alone, or lies in the secret."""
NOTIFY_URL = "SONARSTACK_NOTIFY_URL"
"""Who gets messages. In the environment it is a setting like others; addresses with tokens belong into the secret."""
TIMEOUT_S = 10.0
TRIES = 4
ALLOWED = (
    "aws:NAME-OR-ARN, gcp:projects/PROJECT/secrets/NAME, azure:https://VAULT.vault.azure.net/secrets/NAME "
    "or env:VARIABLE"
)


class SecretsManager:
    """Takes single secrets, first from the environment, then from the one secret of a store that the run was given."""

    def __init__(
        self,
        variables: MutableMapping[str, str] | None = None,
        *,
        secret_id: str | None = None,
        clients: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            secret_id: see `read`; None has the environment alone.
            clients: instead of the SDKs' own, by `aws`, `gcp`, `azure`.
        """
        self._variables = os.environ if variables is None else variables
        self._secret_id = secret_id
        self._clients = clients or {}
        self._stored: dict[str, str] | None = None

    def take(self, name: str) -> str | None:
        """The secret, out of the environment, so that no program started from here inherits it; None if not told.

        Raises:
            SettingsError: see `read`.
        """
        return self._variables.pop(name, None) or self.stored().get(name) or None

    def stored(self) -> dict[str, str]:
        """All that the run's secret holds, by name; read once. Empty without one.

        Raises:
            SettingsError: see `read`; or what it holds is neither JSON nor NAME=VALUE.
        """
        if self._stored is None:
            self._stored = (
                {} if self._secret_id is None else named_values(self.read(self._secret_id), self._secret_id)
            )
        return self._stored

    def read(self, secret_id: str) -> str:
        """The text of one secret.

        Args:
            secret_id: aws:NAME-OR-ARN, gcp:projects/P/secrets/NAME[/versions/V], azure:https://VAULT/secrets/NAME[/V],
                env:VARIABLE (taken out of the environment); an ARN also without aws:.

        Raises:
            SettingsError: no such store, no such secret, no right to read it, or its package is not installed.
        """
        store, _, name = secret_id.partition(":")
        if store == "arn":
            store, name = "aws", secret_id
        if store == "env" and name:
            value = self._variables.pop(name, None)
            if not value:
                raise SettingsError(f"secret {secret_id} is not there: set the variable {name}")
            return value
        readers: dict[str, Callable[[str, Any], str]] = {"aws": _aws, "gcp": _gcp, "azure": _azure}
        if store not in readers or not name:
            raise SettingsError(f"secret {secret_id!r} names no store; allowed are {ALLOWED}")
        try:
            return readers[store](name, self._clients.get(store))
        except ImportError as error:
            raise SettingsError(
                f"secret {secret_id} needs {error.name or 'its package'}: pip install 'sonarstack[cloud]'"
            ) from error
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 each SDK's own; its text may quote an answer, so it is left out
            raise SettingsError(
                f"secret {secret_id} cannot be read ({_kind(error)}): {ADVICE[store]}"
            ) from None


ADVICE = {
    "aws": "check its name and AWS_REGION, and that this machine's role may secretsmanager:GetSecretValue on it and "
    "kms:Decrypt with its key",
    "gcp": "check its name, and that this machine's account has roles/secretmanager.secretAccessor on it",
    "azure": "check its name, and that this machine's identity has the role Key Vault Secrets User on the vault",
}


def named_values(text: str, secret_id: str) -> dict[str, str]:
    """What a secret holds: a JSON object of texts, or lines of NAME=VALUE (blank ones and # left out).

    Raises:
        SettingsError: it is neither.
    """
    wrong = SettingsError(
        f'secret {secret_id} must hold a JSON object such as {{"{NOTIFY_URL}": "..."}}, or lines of NAME=VALUE'
    )
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except ValueError:
            raise wrong from None
        if not all(isinstance(value, str) for value in values.values()):
            raise wrong
        return dict(values)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", line) for line in lines]
    if not lines or None in pairs:
        raise wrong
    return {pair[1]: pair[2] for pair in pairs if pair is not None}


def _kind(error: Exception) -> str:
    """What an SDK calls the error: AWS's code, or the class."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return str(code or type(error).__name__)


def _aws(name: str, client: Any) -> str:
    """Source: Secrets Manager API, GetSecretValue; the fourth part of an ARN is the region."""
    if client is None:
        import boto3
        from botocore.config import Config

        region = name.split(":")[3] if name.startswith("arn:") else None
        waits = Config(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
        )
        client = boto3.client("secretsmanager", region_name=region, config=waits)
    answer = client.get_secret_value(SecretId=name)
    if "SecretString" not in answer:
        raise SettingsError(f"secret aws:{name} holds bytes; store it as text")
    return str(answer["SecretString"])


def _gcp(name: str, client: Any) -> str:
    """Source: google-cloud-secret-manager 2.32, `access_secret_version(request={"name": ...})`."""
    if not re.fullmatch(r"projects/[^/]+/secrets/[^/]+(/versions/[^/]+)?", name):
        raise SettingsError(f"secret gcp:{name} must be gcp:projects/PROJECT/secrets/NAME")
    if client is None:
        from google.cloud import secretmanager

        client = secretmanager.SecretManagerServiceClient()
    version = name if "/versions/" in name else f"{name}/versions/latest"
    answer = client.access_secret_version(request={"name": version}, timeout=TIMEOUT_S)
    return bytes(answer.payload.data).decode()


def _azure(name: str, client: Any) -> str:
    """Source: azure-keyvault-secrets 4.12, `SecretClient(vault_url, credential).get_secret(name, version)`."""
    found = re.fullmatch(r"(https://[^/]+)/secrets/([^/]+)(?:/([^/]+))?/?", name)
    if found is None:
        raise SettingsError(f"secret azure:{name} must be azure:https://VAULT.vault.azure.net/secrets/NAME")
    if client is None:
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient

        # The SDK's own are five minutes: a vault whose door is closed would hold a rented machine for twenty.
        client = SecretClient(
            vault_url=found[1],
            credential=DefaultAzureCredential(),
            connection_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retry_total=TRIES - 1,
        )
    answer = client.get_secret(found[2], found[3])
    return str(answer.value or "")
