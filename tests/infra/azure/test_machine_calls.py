"""The machine's commands on Azure, as processes: Azurite takes the notes, stand-ins issue tokens and take the end."""

import ast
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.azure.orders import CALLS, COLLECT, HERE
from tests.infra.azure.on_machine import Bench, azure, bench, programs
from tests.infra.azure.whom_it_asks import MACHINE, MACHINE_ID, PASSWORD, Azure

__all__ = ["azure", "bench", "programs"]


def test_its_name_is_what_azure_says(bench: Bench, azure: Azure) -> None:
    done = bench.call("identity")
    assert (done.returncode, done.stdout) == (0, f"{MACHINE}\n".encode())
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{azure.address}/metadata/instance/compute?api-version=2021-02-01")


def test_a_note_lies_where_the_job_is_asked_for_and_the_newest_counts(bench: Bench) -> None:
    for text in (b'{"code": 1}', b'{"code": 0}'):
        assert bench.call("keep", "outcome.json", data=text).returncode == 0
    assert bench.call("keep", f"interruptions/{MACHINE}.json", data=b"{}").returncode == 0
    assert bench.blobs == {"outcome.json": b'{"code": 0}', f"interruptions/{MACHINE}.json": b"{}"}


def test_from_its_start_it_is_told_of_its_end(bench: Bench, azure: Azure) -> None:
    assert bench.call("ready").returncode == 0
    assert any(path.startswith("/metadata/scheduledevents") for _, path in azure.asked)
    azure.first["GET /metadata/scheduledevents"] = [(404, {})]
    assert bench.call("ready").returncode == 0


def test_it_waits_until_its_rights_have_reached_the_storage(
    bench: Bench, programs: tuple[ModuleType, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cloud = programs
    calls = sys.modules["machine_calls"]
    real, refused = calls.ask, [403, 403, 403]

    def spreading(method: str, address: str, *more: Any, **words: Any) -> Any:
        if refused and method == "PUT":
            raise calls.CallError("PUT: HTTP 403 AuthorizationPermissionMismatch", refused.pop())
        return real(method, address, *more, **words)

    monkeypatch.setattr(calls, "ask", spreading)
    calls.ready(cloud)
    assert bench.blobs == {f"ready/{MACHINE}.json": b"{}"}
    refused += [403] * 999
    monkeypatch.setattr(calls, "READY_WITHIN_S", 1.0)
    with pytest.raises(calls.CallError, match="403"):
        calls.ready(cloud)
    refused[:] = [404]
    with pytest.raises(calls.CallError, match="403"):  # its text; a 404 is no matter of waiting
        calls.ready(cloud)
    assert refused == []


def test_what_may_come_right_is_tried_again_and_what_cannot_is_told(bench: Bench, azure: Azure) -> None:
    azure.first["GET /metadata/identity"] = [(429, {"Retry-After": "1"}), (410, {})]
    assert bench.call("keep", "a", data=b"x").returncode == 0
    assert len(azure.asked) == 3
    azure.asked.clear()
    azure.first["GET /metadata/identity"] = [(503, {})] * 9
    done = bench.call("keep", "b", data=b"x")
    assert (done.returncode, len(azure.asked)) == (1, 3)
    assert done.stderr.decode().strip() == "sonarstack azure: keep b: GET 127.0.0.1: HTTP 503"
    azure.first["GET /metadata/identity"] = [(400, {})]
    assert bench.call("keep", "b", data=b"x").returncode == 1
    assert set(bench.blobs) == {"a"}


def test_no_answer_at_all_is_one_line(bench: Bench) -> None:
    settings = json.loads((bench.folder / "azure.json").read_text())
    (bench.folder / "azure.json").write_text(json.dumps(settings | {"metadata": "http://127.0.0.1:9"}))
    done = bench.call("identity")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "sonarstack azure: identity: GET 127.0.0.1: ConnectionRefusedError"
    ]


def test_its_end_is_a_delete_at_resource_manager_and_it_agrees(bench: Bench, azure: Azure) -> None:
    """Told before its end, a machine that agrees is not billed for the minutes of the notice."""
    assert bench.call("end").returncode == 0
    assert azure.deleted == [MACHINE_ID]
    assert ("DELETE", f"{MACHINE_ID}?api-version=2024-07-01") in azure.asked
    assert azure.agreed == ["E1"]


def test_a_machine_that_is_not_told_waits_for_no_notice_for_long(bench: Bench, azure: Azure) -> None:
    azure.tells_before_the_end = False
    assert bench.call("end").returncode == 0
    assert (len(azure.deleted), azure.agreed) == (1, [])


def test_gone_already_and_going_already_are_fine_and_a_refusal_is_not(bench: Bench, azure: Azure) -> None:
    azure.first["DELETE"] = [(409, {}), (409, {})]
    done = bench.call("end")
    assert (done.returncode, azure.deleted) == (1, [])
    assert "HTTP 409" in done.stderr.decode()
    azure.deleted.append("by the timer")
    assert bench.call("end").returncode == 0
    azure.lives = False
    assert bench.call("end").returncode == 0
    azure.first["DELETE"] = [(403, {})]
    assert bench.call("end").returncode == 1


def test_a_notice_that_cannot_be_asked_for_does_not_undo_the_end(bench: Bench, azure: Azure) -> None:
    azure.first["GET /metadata/scheduledevents"] = [(404, {})]
    done = bench.call("end")
    assert (done.returncode, len(azure.deleted)) == (0, 1)
    assert "in its own time" in done.stderr.decode()


def test_docker_is_signed_in_by_its_standard_input(bench: Bench, azure: Azure) -> None:
    done = bench.call("sign-in")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (bench.folder / "password").read_text() == PASSWORD
    nobody = "00000000-0000-0000-0000-000000000000"
    assert bench.calls == [f"docker login stamp.azurecr.io --username {nobody} --password-stdin"]
    assert (azure.forms[0]["grant_type"], azure.forms[0]["service"]) == ("access_token", "stamp.azurecr.io")
    told = (bench.folder / "login-env").read_text()
    assert PASSWORD not in told
    assert azure.forms[0]["access_token"] not in told
    assert bench.call("sign-in", LOGIN_CODE="1").returncode == 1
    azure.first["POST /oauth2/exchange"] = [(401, {})]
    assert bench.call("sign-in").returncode == 1


def test_a_token_goes_nowhere_else_and_is_in_nothing_that_is_said(bench: Bench, azure: Azure) -> None:
    azure.first["DELETE"] = [(302, {"Location": f"{azure.address}/elsewhere"})]
    done = bench.call("end")
    assert done.returncode == 1
    assert not any(path.startswith("/elsewhere") for _, path in azure.asked)
    said = done.stdout + done.stderr
    assert azure.bearers
    assert all(bearer.encode() not in said for bearer in azure.bearers)
    azure.first["POST /oauth2/exchange"] = [(500, {})] * 3
    said = bench.call("sign-in").stderr
    assert b"HTTP 500" in said
    assert b"eyJ" not in said


def test_unknown_words_and_missing_settings(bench: Bench) -> None:
    assert bench.call("fly").returncode == 2
    assert bench.call("keep").returncode == 2
    done = bench.call("identity", SONARSTACK_AZURE_CALLS="/nowhere")
    assert (done.returncode, done.stderr) == (1, b"sonarstack azure: identity: FileNotFoundError\n")


@pytest.mark.parametrize("name", [CALLS, COLLECT])
def test_the_standard_library_of_python_3_10_is_enough(name: str) -> None:
    tree = ast.parse((HERE / name).read_text(), feature_version=(3, 10))
    checked = {
        node for one in ast.walk(tree) if isinstance(one, ast.If) and "TYPE_CHECKING" in ast.dump(one.test)
        for node in one.body
    }  # fmt: skip
    roots = {
        alias.name.partition(".")[0] for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names
    } | {
        str(one.module).partition(".")[0]
        for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one not in checked
    }  # fmt: skip
    assert roots - {"machine_calls"} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", [CALLS, COLLECT])
def test_python_3_10_itself_takes_it(name: str, tmp_path: Path) -> None:
    old = shutil.which("python3.10")
    if old is None or subprocess.run([old, "-c", ""], capture_output=True).returncode != 0:
        pytest.skip("python3.10 is not on PATH")
    for one in (CALLS, COLLECT):
        shutil.copy(HERE / one, tmp_path)
    words = [old, "-W", "error", "-c", f"import {name.removesuffix('.py')}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
