"""What the doctor says of an Azure on loopback: of one that is ready, and of each thing that is not."""

import logging
import sys
from typing import Any

import pytest

from app.config.settings import Settings, load_settings
from app.doctor.azure import azure_checks
from app.doctor.checks import Check, State
from tests.app.azure import AzureMachine, Services
from tests.app.telemetry.interruption_notices.scheduled_events import MACHINE
from tests.infra.azure.azurite import Azurite, token


def settings(**variables: str) -> Settings:
    return load_settings(variables=variables).settings


def of(machine: AzureMachine, **variables: str) -> Settings:
    return settings(AZURE_POD_IDENTITY_AUTHORITY_HOST=machine.metadata.address, **variables)


def checks_of(told: Settings) -> dict[str, Check]:
    return {check.name: check for check in azure_checks(told)}


def test_a_machine_of_a_stack_is_ready(azure_machine: AzureMachine) -> None:
    checks = checks_of(of(azure_machine, SONARSTACK_CLOUD="azure", SONARSTACK_RUN_URL="az://runs/st/one"))
    assert [check.state for check in checks.values()] == [*[State.OK] * 4, State.OPTIONAL, State.OPTIONAL]
    assert checks["Azure machine"].detail == f"{MACHINE}: Standard_NC4as_T4_v3 in westeurope, spot"
    assert checks["scheduled events"].detail == "nothing is announced for this machine"
    assert checks["Azure credentials"].detail == "machine in tenant not told"
    assert (
        checks["container"].detail
        == "az://runs/st/one of account devstoreaccount1: written, read and removed"
    )
    assert azure_machine.azurite.blobs("runs") == {}


def test_what_is_announced_is_told_and_silence_is_a_fault(azure_machine: AzureMachine) -> None:
    metadata = azure_machine.metadata
    told = of(azure_machine)
    metadata.evict()
    assert "Azure takes this spot machine" in checks_of(told)["scheduled events"].detail
    metadata.body = "nothing"
    check = checks_of(told)["scheduled events"]
    assert check.state is State.MISSING
    assert "an eviction comes unheard" in check.advice


def test_logs_and_secrets_by_the_machines_identity(services: Services) -> None:
    pytest.importorskip("azure.monitor.ingestion", reason="needs azure-monitor-ingestion")
    services.there.secrets["run"] = "SONARSTACK_NOTIFY_URL=json://127.0.0.1"
    told = settings(
        AZURE_POD_IDENTITY_AUTHORITY_HOST=services.metadata.address,
        SONARSTACK_LOG_PROVIDER="azure",
        SONARSTACK_LOG_GROUP=services.there.group,
        SONARSTACK_SECRET_ID=f"azure:{services.there.address}/secrets/run",
    )
    checks = checks_of(told)
    assert checks["Azure credentials"].detail == "a token that tells nothing of its owner"
    assert checks["log group"].detail == f"{services.there.group}: a record of run doctor was written"
    assert [row["Run"] for row in services.there.rows] == ["doctor"]
    assert checks["secret"].detail.endswith("/secrets/run holds SONARSTACK_NOTIFY_URL")
    services.there.refuses_always = 403
    services.there.secrets.clear()
    checks = checks_of(told)
    assert checks["log group"].detail.endswith(": refused (403)")
    assert "Monitoring Metrics Publisher" in checks["log group"].advice
    assert "Key Vault Secrets User" in checks["secret"].advice


@pytest.mark.parametrize(
    ("variables", "audience", "detail", "advice"),
    [
        (
            {"SONARSTACK_RUN_URL": "az://none/x"},
            None,
            "az://none/x: refused (404)",
            "check the container's name",
        ),
        (
            {"SONARSTACK_RUN_URL": "az://runs/x"},
            "https://vault.azure.net",
            "az://runs/x: refused (403)",
            "Storage Blob Data Contributor",
        ),
    ],
)
def test_a_container_that_refuses_says_what_to_check(
    azure_machine: AzureMachine, variables: dict[str, str], audience: str | None, detail: str, advice: str
) -> None:
    if audience is not None:
        azure_machine.metadata.token = token(audience)
    check = checks_of(of(azure_machine, **variables))["container"]
    assert (check.state, check.detail) == (State.MISSING, detail)
    assert advice in check.advice


def test_without_an_account_it_is_named(azure_machine: AzureMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    check = checks_of(of(azure_machine, SONARSTACK_RUN_URL="az://runs/x"))["container"]
    assert check.advice == "set AZURE_STORAGE_ACCOUNT_NAME"


def test_without_credentials_nothing_else_is_asked(azure_machine: AzureMachine, monkeypatch: Any) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "99999999-0000-0000-0000-000000000000")
    *_, last = azure_checks(of(azure_machine, SONARSTACK_RUN_URL="az://runs/x"))
    assert (last.name, last.state) == ("Azure credentials", State.MISSING)
    assert "az login" in last.advice


def test_elsewhere_it_is_no_fault_to_be_no_machine(azure: Azurite) -> None:
    told = settings(AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:9", SONARSTACK_RUN_URL="az://runs/x")
    first, *_ = azure_checks(told)
    assert (first.name, first.state) == ("Azure machine", State.OPTIONAL)


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    (check,) = azure_checks(settings())
    assert check.advice == "pip install 'sonarstack[cloud]'"


def test_nobody_signed_in_is_one_line_without_the_librarys_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    identity = pytest.importorskip("azure.identity", reason="needs azure-identity")
    from azure.core.exceptions import ClientAuthenticationError

    class Nobody:
        def get_token(self, scope: str) -> None:
            logging.getLogger("azure.identity._credentials.chained").warning("a page for %s", scope)
            raise ClientAuthenticationError("none")

    monkeypatch.setattr(identity, "DefaultAzureCredential", Nobody)
    logging.getLogger("azure.identity").setLevel(logging.NOTSET)
    *_, last = azure_checks(settings(AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:9"))
    assert (last.name, last.detail) == ("Azure credentials", "none here")
    assert caplog.records == []
