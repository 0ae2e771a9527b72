"""Is Azure as a training there needs it: the machine, its notices, who we are, the containers, the log, the secret.

Sizes and quota are asked for by `python -m stacks` before anything is rented: a machine's own identity may not.
"""

import base64
import json
import logging
import uuid
from typing import Any

from app.config.settings import Settings
from app.doctor.checks import Check, State
from app.doctor.cloud_parts import log_group, not_installed, secret, why
from app.far_store import AZURE, AZURE_SCOPE, open_store
from app.telemetry.interruption_notices.azure import HEADERS, ScheduledEvents
from app.telemetry.interruption_notices.metadata import MetadataAddress
from app.telemetry.logs.azure import MonitorSender

MACHINE_PATH = "/metadata/instance/compute?api-version=2021-02-01"
NO_RIGHT = (
    "check the container's name, that the identity has the role Storage Blob Data Contributor on it, and that the "
    "account's network rules let this machine in"
)


def azure_checks(settings: Settings) -> tuple[Check, ...]:
    """Look at everything that the settings name, with the credentials that are here; each check by itself.

    Writes and removes one small blob below the run's address, and writes one row into the log.
    """
    try:
        import azure.identity
    except ImportError:
        return (not_installed("Azure", "azure-identity"),)
    del azure
    here = _machine(settings)
    parts = (here, *([_notices(settings)] if here.state is State.OK else []))
    who = _credentials()
    if who.state is not State.OK:
        return (*parts, who)
    return (
        *parts,
        who,
        _containers(settings),
        log_group(settings, "azure", "Azure Monitor", MonitorSender),
        secret(settings),
    )


def _machine(settings: Settings) -> Check:
    """Source: "Azure Instance Metadata Service", category compute."""
    try:
        text = MetadataAddress(settings.cloud.metadata_url).ask(MACHINE_PATH, HEADERS)
        told: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return Check(
            name="Azure machine",
            state=State.OPTIONAL,
            detail="this is none, or containers do not reach its metadata address",
        )
    kind = "spot" if told.get("priority") == "Spot" else "on demand"
    return Check(
        name="Azure machine",
        state=State.OK,
        detail=f"{told.get('name')}: {told.get('vmSize')} in {told.get('location')}, {kind}",
    )


def _notices(settings: Settings) -> Check:
    events = ScheduledEvents(settings.cloud.metadata_url)
    try:
        notices = events.look()
    except OSError as error:
        return Check(
            name="scheduled events",
            state=State.MISSING,
            detail=f"no answer ({error})",
            advice="ask again in two minutes: the first question turns them on; without them an eviction comes unheard",
        )
    told = "; ".join(notice.text for notice in notices) or "nothing is announced for this machine"
    return Check(name="scheduled events", state=State.OK, detail=told)


def _credentials() -> Check:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    # Each failed try is a page of text there: ours is one line.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    try:
        token = DefaultAzureCredential().get_token(AZURE_SCOPE).token
    except ClientAuthenticationError:
        return Check(
            name="Azure credentials",
            state=State.MISSING,
            detail="none here",
            advice="sign in (az login); a machine in Azure needs an identity, and AZURE_CLIENT_ID with its client id",
        )
    return Check(name="Azure credentials", state=State.OK, detail=_who(token))


def _who(token: str) -> str:
    """What a token says of its owner; not verified, and never the token itself."""
    try:
        body = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return "a token that tells nothing of its owner"
    name = told.get("upn") or told.get("appid") or told.get("azp") or told.get("oid")
    return f"{name} in tenant {told.get('tid', 'not told')}"


def _containers(settings: Settings) -> Check:
    """Write, read and remove a probe where runs are mirrored to."""
    address = (settings.cloud.run_url or "").rstrip("/")
    if not address.startswith(AZURE):
        return Check(
            name="container",
            state=State.OPTIONAL,
            detail="no run is mirrored to Azure",
            advice="set SONARSTACK_RUN_URL=az://CONTAINER/STACK/RUN and AZURE_STORAGE_ACCOUNT_NAME to try one",
        )
    try:
        store, root = open_store(address)
    except ValueError as error:
        what, _, advice = str(error).partition("; ")
        return Check(name="container", state=State.MISSING, detail=f"{address}: {what}", advice=advice)
    probe = f"{root}/.probe-{uuid.uuid4().hex}"
    try:
        store.pipe_file(probe, b"x")
        same = store.cat_file(probe) == b"x"
        store.rm_file(probe)
    except Exception as error:  # noqa: BLE001 adlfs passes on what each of its libraries raises
        return Check(
            name="container", state=State.MISSING, detail=f"{address}: {why(error)}", advice=NO_RIGHT
        )
    return Check(
        name="container",
        state=State.OK if same else State.MISSING,
        detail=f"{address} of account {store.service_client.account_name}: "
        + ("written, read and removed" if same else "gives back something else"),
    )
