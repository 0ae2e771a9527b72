"""A stand-in on loopback for Azure Resource Manager, and for the two public pages that are asked beside it.

No emulator of Azure's control plane exists. This one is ours: it knows the paths, versions and shapes that the project
uses, written after Microsoft's REST reference (learn.microsoft.com, rest/api, 2026-11), and it has never met the real
service. What it does not know it refuses, as Azure does: no token 401, no version 400, an unknown path 404.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CALLER = "99999999-8888-7777-6666-555555555555"
LOCATION = "eastus"
COMPUTE = "/providers/Microsoft.Compute"
VERSIONS = {
    "subscriptions": "2022-12-01", "resourceGroups": "2021-04-01", "resources": "2021-04-01",
    "providers": "2021-04-01", "features": "2021-07-01", "skus": "2021-07-01", "usages": "2024-07-01",
    "versions": "2024-07-01", "virtualMachines": "2024-07-01", "runCommand": "2024-07-01", "disks": "2024-03-02",
    "natGateways": "2024-05-01", "publicIPAddresses": "2024-05-01", "privateEndpoints": "2024-05-01",
    "bastionHosts": "2024-05-01", "query": "2023-11-01", "containers": "2023-05-01",
    "managementPolicies": "2023-05-01", "keys": "2023-07-01", "roleAssignments": "2022-04-01",
}  # fmt: skip
"""Kind to the version that is asked for: each one is among those that the reference names."""
GONE_AFTER_LOOKS = 1
"""How often a machine that was told to go is listed still."""


def token(**claims: Any) -> str:
    """A token as Entra ID writes them, signed by nobody."""
    told = {"tid": TENANT, "oid": CALLER, "idtyp": "user", "scp": "user_impersonation", **claims}
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none"}, {key: value for key, value in told.items() if value is not None})
    )
    return f"{head}.{body}.c2lnbmF0dXJl"


@dataclass
class Failure:
    """An answer that comes in the place of the right one, a number of times."""

    verb: str
    part: str
    status: int
    code: str = ""
    message: str = "told\nat length"
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass
class FakeArm:
    """What it has; tests fill it."""

    address: str = ""
    token: str = field(default_factory=token)
    page: int = 2
    """Rows of one page of a list."""
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    registered: dict[str, str] = field(default_factory=dict)
    features: dict[str, str] = field(default_factory=dict)
    usages: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Name to limit and what is used of it."""
    skus: list[dict[str, Any]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Id to everything else but machines, as it is listed."""
    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    going: dict[str, int] = field(default_factory=dict)
    prices: list[dict[str, Any]] = field(default_factory=list)
    costs: list[list[Any]] = field(default_factory=list)
    seen_address: str = "9.9.9.9"
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Verb and path of every call, in order."""
    bodies: list[Any] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def fail(self, verb: str, part: str, status: int, code: str = "", **more: Any) -> None:
        """Have calls whose path holds a part fail."""
        self.failures.append(Failure(verb, part, status, code, **more))

    def rent(self, group: str, name: str, tags: dict[str, str] | None = None, **more: Any) -> str:
        """A machine; its id."""
        where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}{COMPUTE}/virtualMachines/{name}"
        self.machines[where.lower()] = {
            "id": where, "name": name, "type": "Microsoft.Compute/virtualMachines",
            "location": more.get("location", LOCATION), "tags": tags or {},
            "properties": {
                "hardwareProfile": {"vmSize": more.get("size", "Standard_NC4as_T4_v3")},
                "storageProfile": {"imageReference": {
                    "publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204", "version": "latest",
                    "exactVersion": more.get("image", "22.04.2026070101"),
                }},
                "provisioningState": more.get("state", "Succeeded"),
                "priority": more.get("priority", "Spot"),
                "power": more.get("power", "PowerState/running"),
            },
        }  # fmt: skip
        return where

    def put(self, kind: str, name: str, group: str, **more: Any) -> str:
        """Anything else in a group; its id."""
        where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{kind}/{name}"
        self.parts[where.lower()] = {"id": where, "name": name, "type": kind, "location": LOCATION, **more}
        return where

    def answer(
        self, verb: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, content, headers."""
        kind = self._kind(path)
        if kind is None:
            return refused(404, "InvalidResourceType", "no such path")
        if query.get("api-version") != VERSIONS[kind]:
            return refused(400, "InvalidApiVersionParameter", f"{kind} takes {VERSIONS[kind]}")
        if verb == "GET" and kind == "virtualMachines":
            return self._machines(path, query)
        if verb == "DELETE" and kind == "virtualMachines":
            return self._delete(path)
        if verb == "POST":
            return self._post(kind, path, body)
        rows = self._rows(kind, path, query)
        if rows is None:
            return refused(404, "ResourceNotFound", "is not there")
        return (
            (200, rows, {})
            if isinstance(rows, dict) or kind == "versions"
            else self._paged(path, query, rows)
        )

    def _kind(self, path: str) -> str | None:
        parts = path.strip("/").split("/")
        named = [part for part in parts if part in VERSIONS]
        return named[-1] if named and (parts[-1] in VERSIONS or parts[-2] == named[-1]) else None

    def _rows(self, kind: str, path: str, query: dict[str, str]) -> Any:
        last = unquote(path.rpartition("/")[2])
        if kind == "subscriptions":
            if last == "subscriptions":
                return self.subscriptions
            return next((one for one in self.subscriptions if one["subscriptionId"] == last), None)
        if kind == "providers":
            return [
                {"namespace": name, "registrationState": state} for name, state in self.registered.items()
            ]
        if kind == "features":
            state = self.features.get(last)
            return (
                None
                if state is None
                else {"name": f"Microsoft.Compute/{last}", "properties": {"state": state}}
            )
        if kind == "usages":
            return [
                {"limit": limit, "currentValue": used, "unit": "Count",
                 "name": {"value": name, "localizedValue": f"{name} vCPUs"}}
                for name, (limit, used) in self.usages.items()
            ]  # fmt: skip
        if kind == "skus":
            wanted = query["$filter"].split("'")[1]
            return [one for one in self.skus if wanted in one["locations"]]
        if kind == "versions":
            return [{"name": name, "location": LOCATION, "id": f"{path}/{name}"} for name in self.images]
        if kind == "resourceGroups":
            return self.groups.get(last)
        if kind == "resources":
            return self._listed(path, query)
        if last == kind:
            head = path.lower() + "/"
            return [one for key, one in self.parts.items() if key.startswith(head)]
        return self.parts.get(path.lower())

    def _listed(self, path: str, query: dict[str, str]) -> list[dict[str, Any]] | None:
        everything = [
            *self.parts.values(),
            *({k: v for k, v in one.items() if k != "properties"} for one in self.machines.values()),
        ]
        if "/resourceGroups/" in path:
            group = path.split("/resourceGroups/")[1].partition("/")[0]
            if group not in self.groups:
                return None
            return [
                one
                for one in everything
                if f"/resourceGroups/{group}/" in one["id"] and "/keys/" not in one["id"]
            ]
        _, name, _, value, _ = query["$filter"].split("'")
        return [one for one in everything if (one.get("tags") or {}).get(name) == value]

    def _machines(self, path: str, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        if path.endswith("/virtualMachines"):
            for key in list(self.going):
                self._goes(key)
            rows = [self._shown(one, view=False) for one in self.machines.values()]
            return self._paged(
                path, query, [one for one in rows if one["id"].startswith(path.partition("/providers/")[0])]
            )
        self._goes(path.lower())
        one = self.machines.get(path.lower())
        if one is None:
            return refused(404, "ResourceNotFound", "The Resource was not found.")
        return 200, self._shown(one, view=query.get("$expand") == "instanceView"), {}

    def _shown(self, one: dict[str, Any], *, view: bool) -> dict[str, Any]:
        """The power is told by the instance view only, and only if it is asked for."""
        properties = {key: value for key, value in one["properties"].items() if key != "power"}
        if view:
            codes = [
                f"ProvisioningState/{properties['provisioningState'].lower()}",
                one["properties"]["power"],
            ]
            properties["instanceView"] = {"statuses": [{"code": code} for code in codes if code]}
        return {**one, "properties": properties}

    def _goes(self, key: str) -> None:
        if key in self.going:
            self.going[key] -= 1
            if self.going[key] < 0:
                del self.going[key]
                self.machines.pop(key, None)

    def _delete(self, path: str) -> tuple[int, Any, dict[str, str]]:
        one = self.machines.get(path.lower())
        if one is None:
            return 204, None, {}
        one["properties"]["provisioningState"] = "Deleting"
        self.going.setdefault(path.lower(), GONE_AFTER_LOOKS)
        return 202, None, {"Location": f"{self.address}/operations/1", "Retry-After": "10"}

    def _post(self, kind: str, path: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        self.bodies.append(body)
        if kind == "query":
            columns = [{"name": "CostUSD", "type": "Number"}, {"name": "Currency", "type": "String"}]
            return 200, {"properties": {"nextLink": None, "columns": columns, "rows": self.costs}}, {}
        if path.removesuffix("/runCommand").lower() not in self.machines:
            return refused(404, "ResourceNotFound", "The Resource was not found.")
        return 202, None, {"Location": f"{self.address}/operations/2"}

    def _paged(self, path: str, query: dict[str, str], rows: list[Any]) -> tuple[int, Any, dict[str, str]]:
        start = int(query.get("$skiptoken", "0"))
        content: dict[str, Any] = {"value": rows[start : start + self.page]}
        if start + self.page < len(rows):
            more = {**query, "$skiptoken": str(start + self.page)}
            content["nextLink"] = f"{self.address}{path}?" + "&".join(
                f"{key}={value.replace(' ', '%20')}" for key, value in more.items()
            )
        return 200, content, {}


def refused(status: int, code: str, message: str) -> tuple[int, Any, dict[str, str]]:
    """As Azure words it."""
    return status, {"error": {"code": code, "message": message}}, {}


def _handler(fake: FakeArm) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: two of them wait for each other, 40 ms a call.
        wbufsize = -1

        def _serve(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            with lock:
                status, content, headers = self._answer(url.path, query, body)
            text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            text = b"" if content is None else text
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(text)

        def _answer(self, path: str, query: dict[str, str], body: Any) -> tuple[int, Any, dict[str, str]]:
            fake.asked.append((self.command, path))
            failure = next(
                (one for one in fake.failures if one.verb == self.command and one.part in path), None
            )
            if failure is not None:
                failure.times -= 1
                if not failure.times:
                    fake.failures.remove(failure)
                return failure.status, refused(0, failure.code, failure.message)[1], failure.headers
            if path == "/address":
                return 200, fake.seen_address, {}
            if path == "/prices":
                wanted = query["$filter"]
                items = [
                    one
                    for one in fake.prices
                    if f"'{one['armSkuName']}'" in wanted and f"'{one['armRegionName']}'" in wanted
                ]
                return 200, {"Items": items, "NextPageLink": None, "Count": len(items)}, {}
            if self.headers.get("Authorization") != f"Bearer {fake.token}":
                return refused(401, "InvalidAuthenticationToken", f"not {self.headers.get('Authorization')}")
            return fake.answer(self.command, path, query, body)

        do_GET = do_POST = do_DELETE = do_PUT = _serve

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def running() -> Iterator[FakeArm]:
    """One that listens, with a subscription in which everything may run."""
    fake = FakeArm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


class Credential:
    """Stands for the user's log-in."""

    def __init__(self, text: str) -> None:
        self.text, self.scopes = text, list[str]()

    def get_token(self, *scopes: str) -> Any:
        """As azure-identity answers."""
        from azure.core.credentials import AccessToken

        self.scopes += scopes
        return AccessToken(self.text, int(time.time()) + 3600)
