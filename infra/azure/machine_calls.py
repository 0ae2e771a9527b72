"""Azure's own ways on a rented machine, as commands of `machine.py`'s orders: who it is, its notes, its end.

    machine_calls.py identity | ready | keep NAME | end | sign-in

Standard library alone (Python 3.10 or newer), in /opt/sonarstack by cloud-init, with its settings in
/etc/sonarstack/azure.json (infra/azure/orders.py writes them). It acts as the machine's user-assigned identity: tokens
come from the metadata address, live in this process alone, and go to the one address that they are for.

Source: Azure instance metadata service (tokens, instance, scheduled events), Blob REST API (Put Blob), Azure Resource
Manager (virtual machines, delete), container registry's AAD-OAuth; read 2026-11.
"""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

SETTINGS = Path(os.environ.get("SONARSTACK_AZURE_CALLS") or "/etc/sonarstack/azure.json")
ARM, STORAGE = "https://management.azure.com/", "https://storage.azure.com/"
"""What tokens are for; the registry takes Resource Manager's."""
MACHINE_API, REGISTRY_API = "2024-07-01", "2021-07-01"
BLOB_API, INSTANCE_API, TOKEN_API, EVENTS_API = "2021-12-02", "2021-02-01", "2018-02-01", "2020-07-01"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""Whose password a registry's token is."""
TIMEOUT_S, TRIES, LONGEST_PAUSE_S = 15.0, 3, 10.0
ANSWER_BYTES = 2**22
AGAIN = (408, 410, 429, 500, 502, 503, 504)
"""410: the metadata address is being updated."""
AGREES_WITHIN_S = 40.0
READY_WITHIN_S = 90.0


class CallError(Exception):
    """One line without a value in it: what was asked of whom, and what came."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token would go along to wherever the answer says."""

    def redirect_request(self, *_: Any) -> None:
        return None


# No proxy either: the metadata address answers the machine itself and nobody else.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def pause(seconds: float) -> float:
    """Seconds to sleep; a test has no time."""
    return seconds * float(os.environ.get("SONARSTACK_PAUSES") or "1")


def say(text: str) -> None:
    """A line of the machine's own log."""
    sys.stderr.write(f"sonarstack azure: {text}\n")
    sys.stderr.flush()


@dataclass
class Answer:
    """What came, whatever its status."""

    status: int
    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """In any case of letters; empty without it."""
        return next((text for key, text in self.headers.items() if key.lower() == name.lower()), "")


def ask(
    method: str, address: str, headers: Mapping[str, str], body: bytes | None = None, *, good: tuple[int, ...]
) -> Answer:
    """The answer, if its status is a good one; tried again where that may help.

    Raises:
        CallError: another status, or none.
    """
    what = f"{method} {urllib.parse.urlsplit(address).hostname}"
    error = CallError(f"{what}: not tried")
    for number in range(TRIES):
        request = urllib.request.Request(address, data=body, headers=dict(headers), method=method)
        wait = 1.0 + number
        try:
            with OPENER.open(request, timeout=TIMEOUT_S) as reply:
                answer = Answer(reply.status, dict(reply.headers), reply.read(ANSWER_BYTES))
        except urllib.error.HTTPError as told:
            with told:
                answer = Answer(told.code, dict(told.headers), told.read(ANSWER_BYTES))
        except (OSError, ValueError, http.client.HTTPException) as told:
            error = CallError(f"{what}: {type(getattr(told, 'reason', told)).__name__}")
            time.sleep(pause(wait))
            continue
        if answer.status in good:
            return answer
        error = CallError(
            f"{what}: HTTP {answer.status} {answer.header('x-ms-error-code')}".rstrip(),
            answer.status,
        )
        if answer.status not in AGAIN:
            break
        retry = answer.header("Retry-After")
        time.sleep(pause(min(LONGEST_PAUSE_S, float(retry) if retry.isdigit() else wait)))
    raise error


@dataclass
class Cloud:
    """The machine's settings, and its tokens."""

    settings: dict[str, Any]
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)

    def metadata(self, path: str, query: Mapping[str, str], body: bytes | None = None) -> Answer:
        """What the machine is told of itself."""
        method = "GET" if body is None else "POST"
        address = f"{self.settings['metadata']}/metadata/{path}?{urllib.parse.urlencode(query)}"
        headers = {"Metadata": "true", "Content-Type": "application/json"}
        return ask(method, address, headers, body, good=(200,))

    def bearer(self, resource: str) -> dict[str, str]:
        """The header that proves who we are, there; five minutes before its end the token is another."""
        text, until = self.tokens.get(resource, ("", 0.0))
        if time.time() > until - 300:
            query = {"api-version": TOKEN_API, "resource": resource, "client_id": self.settings["clientId"]}
            told = json.loads(self.metadata("identity/oauth2/token", query).body)
            text, until = str(told["access_token"]), float(told["expires_on"])
            self.tokens[resource] = (text, until)
        return {"Authorization": f"Bearer {text}"}

    def blob(self, name: str) -> str:
        """Address of one beside the run."""
        return f"{self.settings['notes']}/{urllib.parse.quote(name)}"

    def storage(self, **more: str) -> dict[str, str]:
        """Headers of a call about a blob."""
        return {
            **self.bearer(STORAGE),
            "x-ms-version": BLOB_API,
            "x-ms-date": formatdate(usegmt=True),
            "Content-Type": "application/octet-stream",
            **more,
        }

    def name(self) -> str:
        """The machine's, as Azure says it."""
        told = json.loads(self.metadata("instance/compute", {"api-version": INSTANCE_API}).body)
        return str(told["name"])


def opened() -> Cloud:
    """By the settings that cloud-init wrote."""
    return Cloud(json.loads(SETTINGS.read_text()))


def identity(cloud: Cloud) -> None:
    """Print the machine's name."""
    sys.stdout.write(f"{cloud.name()}\n")


def ready(cloud: Cloud) -> None:
    """Have Azure tell of this machine's end from now on, and wait until its rights have reached the storage.

    Scheduled events begin with the first question, up to two minutes later (Azure, scheduled events, enabling); rights
    take up to minutes after they were given.
    """
    try:
        cloud.metadata("scheduledevents", {"api-version": EVENTS_API})
    except CallError as error:
        say(f"scheduled events: {error}")  # the program asks again, every second
    until = time.monotonic() + pause(READY_WITHIN_S)
    while True:
        try:
            return put(cloud, f"ready/{cloud.name()}.json", b"{}")
        except CallError as error:
            if error.status != 403 or time.monotonic() > until:
                raise
        time.sleep(pause(5.0))


def keep(cloud: Cloud, name: str) -> None:
    """Write standard input beside the run."""
    put(cloud, name, sys.stdin.buffer.read())


def put(cloud: Cloud, name: str, text: bytes) -> None:
    """Write a blob, whole or not at all."""
    ask("PUT", cloud.blob(name), cloud.storage(**{"x-ms-blob-type": "BlockBlob"}), text, good=(201,))


def end(cloud: Cloud) -> None:
    """Delete this machine: one that is only off is billed as before. Its disk and interface go with it."""
    address = f"{cloud.settings['arm']}{cloud.settings['machineId']}?api-version={MACHINE_API}"
    try:
        if ask("DELETE", address, cloud.bearer(ARM), good=(200, 202, 204, 404)).status == 404:
            return
    except CallError as error:
        # It may be on its way already, by whoever was first.
        if error.status != 409 or not _is_going(ask("GET", address, cloud.bearer(ARM), good=(200, 404))):
            raise
    try:
        _agree(cloud)
    except (CallError, ValueError, KeyError) as error:
        say(f"the end of this machine is on its way, in its own time: {error}")


def _is_going(answer: Answer) -> bool:
    if answer.status == 404:
        return True
    state = json.loads(answer.body).get("properties", {}).get("provisioningState")
    return bool(state == "Deleting")


def _agree(cloud: Cloud) -> None:
    """A machine that is to be told before its end is billed until it agrees, or for five minutes more."""
    until = time.monotonic() + pause(AGREES_WITHIN_S)
    query = {"api-version": EVENTS_API}
    while time.monotonic() < until:
        events = json.loads(cloud.metadata("scheduledevents", query).body)["Events"]
        ends = [{"EventId": one["EventId"]} for one in events if one["EventType"] == "Terminate"]
        if ends:
            cloud.metadata("scheduledevents", query, json.dumps({"StartRequests": ends}).encode())
            return
        time.sleep(pause(2.0))


def sign_in(cloud: Cloud) -> None:
    """Have Docker know a password for the registry, good for three hours."""
    registry = cloud.settings["registry"]
    token = cloud.bearer(ARM)["Authorization"].partition(" ")[2]
    form = {"grant_type": "access_token", "service": registry, "access_token": token}
    told = ask(
        "POST",
        f"{cloud.settings['exchange']}?api-version={REGISTRY_API}",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urllib.parse.urlencode(form).encode(),
        good=(200,),
    )
    words = ["docker", "login", registry, "--username", NOBODY, "--password-stdin"]
    password = str(json.loads(told.body)["refresh_token"])
    done = subprocess.run(
        words, input=password, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
    )
    if done.returncode != 0:
        raise CallError(f"docker login: code {done.returncode}")


def main(words: list[str]) -> int:
    """One command; 0 if it did what it is for."""
    commands = {"identity": identity, "ready": ready, "end": end, "sign-in": sign_in}
    try:
        cloud = opened()
        if len(words) == 2 and words[0] == "keep":
            keep(cloud, words[1])
        elif len(words) == 1 and words[0] in commands:
            commands[words[0]](cloud)
        else:
            say(f"allowed are keep NAME, {', '.join(commands)}")
            return 2
    except (CallError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        say(f"{' '.join(words)}: {error if isinstance(error, CallError) else type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
