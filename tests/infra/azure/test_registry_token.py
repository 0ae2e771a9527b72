"""A registry's log-in, exchanged with a registry on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import infra.azure.image as image
from infra.azure.errors import AccountError, AzureError
from infra.azure.new_rights import Patience
from infra.azure.registry_token import registry_token
from tests.app.served import served

SERVER = "night.azurecr.io"


class Registry(ThreadingHTTPServer):
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body = status, body
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, list[str]]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((parts.path, parse_qs(parts.query), parse_qs(body)))
        content = self.server.body.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def registry(status: int, body: object) -> Iterator[Registry]:
    with served(Registry(status, body if isinstance(body, str) else json.dumps(body))) as server:
        yield server


def test_a_token_of_azure_is_exchanged_for_one_of_the_registry() -> None:
    with registry(200, {"refresh_token": "of-the-registry"}) as server:
        assert registry_token(SERVER, "of-azure", address=server.address) == "of-the-registry"
    assert server.asked == [
        (
            "/oauth2/exchange",
            {"api-version": ["2021-07-01"]},
            {"grant_type": ["access_token"], "service": [SERVER], "access_token": ["of-azure"]},
        )
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_does_not_know_the_bearer_says_which_role_is_missing(status: int) -> None:
    body = {"errors": [{"code": "UNAUTHORIZED", "message": "no of-azure here"}]}
    with registry(status, body) as server, pytest.raises(AccountError, match="role AcrPush") as caught:
        registry_token(SERVER, "of-azure", address=server.address)
    assert "of-azure" not in str(caught.value)


def test_an_answer_that_is_no_registry_s_is_told() -> None:
    with registry(200, "<html>") as server, pytest.raises(AzureError, match="no refresh_token"):
        registry_token(SERVER, "of-azure", address=server.address)
    with registry(200, ["refresh_token"]) as server, pytest.raises(AzureError, match="no refresh_token"):
        registry_token(SERVER, "of-azure", address=server.address)
    broken = {"error": {"code": "Broken", "message": "later"}}
    with registry(500, broken) as server, pytest.raises(AzureError, match=r"500 Broken\): later"):
        registry_token(SERVER, "of-azure", address=server.address)


def test_a_registry_that_is_not_there_is_told() -> None:
    with registry(200, {}) as server:
        address = server.address
    with pytest.raises(AzureError, match="does not answer"):
        registry_token(SERVER, "of-azure", address=address)


def test_the_image_s_password_is_the_caller_s_own_log_in_and_none_in_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image, "management_token", lambda: SimpleNamespace(text="of-azure"))
    monkeypatch.setattr(image, "registry_token", lambda server, token: f"{server} for {token}")
    monkeypatch.setattr(image.pulumi.runtime, "is_dry_run", lambda: True)
    assert image.push_token(SERVER) == ""
    monkeypatch.setattr(image.pulumi.runtime, "is_dry_run", lambda: False)
    assert image.push_token(SERVER) == f"{SERVER} for of-azure"


def test_a_right_to_push_that_was_given_just_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([AccountError("not yet"), AccountError("not yet")])

    def token(server: str, token: str) -> str:
        for error in answers:
            raise error
        return "of-the-registry"

    waits: list[float] = []
    monkeypatch.setattr(image, "management_token", lambda: SimpleNamespace(text="of-azure"))
    monkeypatch.setattr(image, "registry_token", token)
    monkeypatch.setattr(image, "Patience", partial(Patience, pause=waits.append))
    monkeypatch.setattr(image.pulumi.runtime, "is_dry_run", lambda: False)
    assert image.push_token(SERVER) == "of-the-registry"
    assert len(waits) == 2
