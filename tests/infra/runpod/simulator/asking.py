"""A client of the simulator's wire that lets the contract judge every answer it gets."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.runpod.simulator.run import Simulator, running
from tests.infra.runpod.contract import CONTRACT, Contract

GPU = "NVIDIA GeForce RTX 4090"
POD = {"name": "sonarstack-x", "image": "example/image:1", "gpu": {"id": GPU}, "args": "sleep 300"}
CPU_POD = {"name": "sonarstack-c", "image": "example/image:1", "cpu": {"id": "cpu3c", "vcpuCount": 2},
           "args": "sleep 300"}  # fmt: skip


class Judge:
    """The contract, where it is at hand."""

    def __init__(self) -> None:
        self.contract = Contract(json.loads(CONTRACT.read_text())) if CONTRACT.is_file() else None

    def check(self, answer: httpx.Response, path: str) -> None:
        """Status, type, headers and body of this operation's answer."""
        assert answer.headers["X-Sonarstack-Simulated"] == "1"
        if self.contract is None or not path.startswith("/v2/"):
            return
        operation = self._operation(answer.request.method.lower(), path)
        told = operation["responses"].get(str(answer.status_code)) or operation["responses"]["default"]
        if "$ref" in told:
            told = self.contract.document["components"]["responses"][told["$ref"].rpartition("/")[2]]
        content = told.get("content")
        if content is None:
            assert answer.content == b""
            return
        kind = answer.headers["Content-Type"]
        assert kind in content
        if kind != "text/event-stream":
            self.contract.check(content[kind]["schema"]["$ref"].rpartition("/")[2], answer.json())
        if answer.status_code >= 400:
            assert answer.json()["status"] == answer.status_code

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        parts = path.split("/")
        for template, methods in self.contract.document["paths"].items():
            names = template.split("/")
            same = len(names) == len(parts) and all(
                name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)
            )
            if same and method in methods:
                return methods[method]
        raise AssertionError(f"the contract has no {method} {path}")


class Account:
    """Asks with a key; `sim` is whom it asks."""

    def __init__(self, sim: Simulator, key: str | None = None) -> None:
        self.sim, self.judge = sim, Judge()
        self._http = httpx.Client(
            base_url=sim.address.removesuffix("/v2"),
            headers={"Authorization": f"Bearer {key or sim.key}"},
            timeout=20,
        )

    def close(self) -> None:
        self._http.close()

    def ask(
        self, method: str, path: str, body: object = None, *, status: int | None = None, **more: Any
    ) -> httpx.Response:
        """One request below /v2, its answer checked; `status` is what it must be."""
        full = path if path.startswith("/simulator") else f"/v2{path}"
        more |= {} if body is None else {"json": body}
        answer = self._http.request(method, full, **more)
        self.judge.check(answer, full.partition("?")[0])
        assert status is None or answer.status_code == status, answer.text
        return answer

    def pod(self, **fields: Any) -> dict[str, Any]:
        """A new one."""
        return self.ask("POST", "/pods", {**POD, **fields}, status=201).json()

    def look(self, pod: dict[str, Any]) -> dict[str, Any]:
        """The pod now."""
        return self.ask("GET", f"/pods/{pod['id']}", status=200).json()

    def until(self, pod: dict[str, Any], status: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait for its status."""
        eventually(lambda: self.look(pod)["status"] == status, timeout_s)
        return self.look(pod)

    def log(self, pod: dict[str, Any], enough: Callable[[str], bool], **params: Any) -> str:
        """Lines of its stream until there are enough of them."""
        lines: list[str] = []
        with self._http.stream("GET", f"/v2/pods/{pod['id']}/logs", params=params) as answer:
            self.judge.check(answer, f"/v2/pods/{pod['id']}/logs")
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    lines.append(json.loads(line[6:])["line"])
                    if enough("\n".join(lines)):
                        break
        return "\n".join(lines)


def eventually(true: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.03)


@contextmanager
def account(folder: Path, **options: Any) -> Iterator[Account]:
    """A simulator of one's own, and a client of it."""
    with running(folder, **options) as sim:
        client = Account(sim)
        try:
            yield client
        finally:
            client.close()
