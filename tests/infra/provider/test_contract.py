"""The plugin as the engine sees it: started as a process, spoken to over the protocol."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedJob
from infra.provider.discard import DISCARD
from infra.provider.values import SECRET, SIGNATURE, UNKNOWN, decode, encode

PLUGIN = Path(__file__).resolve().parents[3] / "infra" / "provider"
LOCAL, RUN = "sonarstack:index:LocalProcess", "sonarstack:index:TrainingRun"


@contextmanager
def started(folder: Path, variables: Mapping[str, str]) -> Iterator[SimpleNamespace]:
    process = subprocess.Popen(
        [sys.executable, str(PLUGIN), "127.0.0.1:9"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
    )
    assert process.stdout is not None
    channel = grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}")
    yield SimpleNamespace(stub=provider_pb2_grpc.ResourceProviderStub(channel), process=process)
    channel.close()
    process.terminate()
    process.communicate()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """One for all: it knows nothing of a stack but what it is told each time."""
    with started(tmp_path_factory.mktemp("plugin"), {}) as it:
        yield it


@pytest.fixture
def own_plugin(tmp_path, request) -> Iterator[SimpleNamespace]:
    """For a test that ends it, cancels what it does, or gives it variables."""
    with started(tmp_path, getattr(request, "param", {})) as it:
        yield it


def urn(token: str) -> str:
    return f"urn:pulumi:local::sonarstack::sonarstack:local:Thing${token}::name"


def job(tmp_path, script: str, **more) -> dict:
    return {
        "folder": str(tmp_path / "job"),
        "argv": ["sh", "-c", script],
        "variables": {"SONARSTACK_RECIPE": "smoke"},
        "cwd": str(tmp_path),
        "stamp": "ours",
        **more,
    }


def create(plugin, token: str, inputs: dict, *, secrets=(), preview=False):
    return plugin.stub.Create(
        provider_pb2.CreateRequest(urn=urn(token), properties=encode(inputs, secrets), preview=preview)
    )


def start(plugin, tmp_path, script: str) -> dict:
    answer = create(plugin, LOCAL, job(tmp_path, script))
    return {
        "where": decode(answer.properties).values["where"],
        "runPath": str(tmp_path / "run"),
        "home": str(tmp_path / "run"),
        "stopGraceS": 10,
    }


@pytest.fixture(autouse=True)
def ends_its_jobs(tmp_path):
    yield
    if (tmp_path / "job").exists():
        DetachedJob(LocalHost(), str(tmp_path / "job")).stop(0)


def test_it_introduces_itself(plugin) -> None:
    shook = plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:9"))
    assert shook.accept_secrets
    configured = plugin.stub.Configure(provider_pb2.ConfigureRequest())
    assert configured.acceptSecrets
    assert configured.supportsPreview
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version


def test_every_bad_property_is_named_at_once(plugin) -> None:
    answer = plugin.stub.Check(
        provider_pb2.CheckRequest(urn=urn(LOCAL), news=encode({"folder": "", "argv": []}))
    )
    assert {f.property for f in answer.failures} == {"folder", "argv", "cwd", "stamp"}
    answer = plugin.stub.Check(
        provider_pb2.CheckRequest(urn=urn(RUN), news=encode({"runPath": "a", "home": "b"}))
    )
    assert [f.property for f in answer.failures] == ["where"]


def test_what_is_not_known_yet_is_not_wrong(plugin) -> None:
    inputs = {"runPath": "a", "home": "b", "where": UNKNOWN}
    assert not plugin.stub.Check(provider_pb2.CheckRequest(urn=urn(RUN), news=encode(inputs))).failures


def test_a_preview_starts_nothing_and_says_what_it_cannot_know(plugin, tmp_path) -> None:
    answer = create(plugin, LOCAL, job(tmp_path, "true"), preview=True)
    assert decode(answer.properties).values["where"] == UNKNOWN
    assert not (tmp_path / "job").exists()


def test_a_repeated_create_adopts_what_runs(plugin, tmp_path) -> None:
    inputs = job(tmp_path, f"echo run >>{tmp_path}/runs; sleep 30")
    one, two = create(plugin, LOCAL, inputs), create(plugin, LOCAL, inputs)
    assert one.id == two.id
    time.sleep(0.3)
    assert (tmp_path / "runs").read_text() == "run\n"


def test_secrets_stay_secret(plugin, tmp_path) -> None:
    inputs = job(tmp_path, "sleep 30", variables={"SONARSTACK_SECRET_ID": "hush-hush"})
    answer = create(plugin, LOCAL, inputs, secrets=["variables"])
    fields = answer.properties.fields
    assert fields["variables"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert "hush-hush" not in str({k: v for k, v in fields.items() if k != "variables"})


def test_a_change_of_the_job_replaces_it_the_old_one_first(plugin, tmp_path) -> None:
    olds, news = job(tmp_path, "true"), job(tmp_path, "false")
    answer = plugin.stub.Diff(
        provider_pb2.DiffRequest(
            id="x", urn=urn(LOCAL), olds=encode(olds), old_inputs=encode(olds), news=encode(news)
        )
    )
    assert list(answer.replaces) == ["argv"]
    assert answer.deleteBeforeReplace


def test_a_run_is_looked_at_in_every_diff(plugin, tmp_path) -> None:
    inputs = start(plugin, tmp_path, "until [ -e go ]; do sleep 0.1; done; echo bye")
    made = create(plugin, RUN, inputs)
    assert decode(made.properties).values["state"] == "running"

    def diff():
        return plugin.stub.Diff(
            provider_pb2.DiffRequest(
                id=made.id, urn=urn(RUN), olds=made.properties, old_inputs=encode(inputs), news=encode(inputs)
            )
        )

    assert diff().changes == provider_pb2.DiffResponse.DIFF_NONE
    (tmp_path / "go").touch()
    deadline = time.monotonic() + 30
    while "state" not in (answer := diff()).diffs:  # its last line comes before its end
        assert time.monotonic() < deadline, "its end was not noticed"
        time.sleep(0.5)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert {"state", "outcome"} <= set(answer.diffs)
    assert not answer.replaces
    updated = plugin.stub.Update(
        provider_pb2.UpdateRequest(id=made.id, urn=urn(RUN), olds=made.properties, news=encode(inputs))
    )
    values = decode(updated.properties).values
    assert (values["state"], values["outcome"], values["log"]) == ("ended", "done", "bye")


def test_a_job_that_fails_fails_the_create_and_stays_in_the_state(plugin, tmp_path) -> None:
    inputs = start(plugin, tmp_path, "echo the disk is full; exit 1")
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, RUN, inputs)
    assert "exit code 1" in caught.value.details()
    assert "the disk is full" in caught.value.details()
    kept = _kept(caught.value)
    assert kept.id == str(tmp_path / "job")
    assert decode(kept.properties).values["state"] == "failed"
    assert list(kept.reasons)


@pytest.mark.parametrize("code", [80, 81, 82, 83])
def test_planned_ends_are_no_failures(plugin, tmp_path, code) -> None:
    made = create(plugin, RUN, {**start(plugin, tmp_path, f"exit {code}"), "wait": True})
    assert decode(made.properties).values["state"] == "ended"


def test_waiting_stays_to_the_end(plugin, tmp_path) -> None:
    made = create(plugin, RUN, {**start(plugin, tmp_path, "sleep 3"), "wait": True})
    assert decode(made.properties).values["outcome"] == "done"


def test_a_cancelled_wait_leaves_the_job_running_and_known(own_plugin, tmp_path) -> None:
    inputs = start(own_plugin, tmp_path, "sleep 60")
    call = own_plugin.stub.Create.future(
        provider_pb2.CreateRequest(urn=urn(RUN), properties=encode({**inputs, "wait": True}))
    )
    time.sleep(0.5)
    own_plugin.stub.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError, match="the job itself goes on") as caught:
        call.result(timeout=10)
    assert _kept(caught.value).id == str(tmp_path / "job")
    assert DetachedJob(LocalHost(), str(tmp_path / "job")).status().state == "running"


def test_the_end_stops_the_job_and_keeps_its_run(plugin, tmp_path) -> None:
    inputs = start(plugin, tmp_path, _writes_a_run(tmp_path, good=True))
    made = create(plugin, RUN, inputs)
    plugin.stub.Delete(
        provider_pb2.DeleteRequest(
            id=made.id, urn=urn(RUN), properties=made.properties, old_inputs=encode(inputs)
        )
    )
    assert DetachedJob(LocalHost(), str(tmp_path / "job")).status().exit_code == 83
    assert (tmp_path / "run" / "manifest.json").exists()


def test_a_run_that_differs_from_its_manifest_stops_the_destroy(plugin, tmp_path) -> None:
    inputs = start(plugin, tmp_path, _writes_a_run(tmp_path, good=False))
    made = create(plugin, RUN, inputs)
    with pytest.raises(grpc.RpcError) as caught:
        _delete(plugin, made, inputs)
    assert "run.json differs" in caught.value.details()
    assert DISCARD in caught.value.details()
    assert "\n" not in caught.value.details()


@pytest.mark.parametrize("own_plugin", [{DISCARD: "1"}], indirect=True)
def test_discarding_lets_the_destroy_go_on(own_plugin, tmp_path) -> None:
    inputs = start(own_plugin, tmp_path, _writes_a_run(tmp_path, good=False))
    _delete(own_plugin, create(own_plugin, RUN, inputs), inputs)


def test_a_killed_plugin_does_not_take_the_job_along(own_plugin, tmp_path) -> None:
    create(own_plugin, LOCAL, job(tmp_path, "sleep 1; exit 80"))
    own_plugin.process.kill()
    time.sleep(1.5)
    assert DetachedJob(LocalHost(), str(tmp_path / "job")).status().exit_code == 80


def test_an_unknown_resource_is_one_line(plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, "sonarstack:index:Moon", {})
    assert "has no resource sonarstack:index:Moon" in caught.value.details()


def _delete(plugin, made, inputs) -> None:
    plugin.stub.Delete(
        provider_pb2.DeleteRequest(
            id=made.id, urn=urn(RUN), properties=made.properties, old_inputs=encode(inputs)
        )
    )


def _kept(error: grpc.RpcError):
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(details).details[0].Unpack(failed)
    return failed


def _writes_a_run(tmp_path, *, good: bool) -> str:
    """A job that writes its manifest when it is asked to stop."""
    digest = "$(sha256sum run.json | cut -d' ' -f1)" if good else "0"
    manifest = '{\\"complete\\": false, \\"files\\": {\\"run.json\\": \\"DIGEST\\"}}'.replace(
        "DIGEST", digest
    )
    return (
        f"mkdir -p {tmp_path}/run && cd {tmp_path}/run && echo '{{}}' >run.json; "
        f"trap 'echo \"{manifest}\" >manifest.json; exit 83' TERM; while :; do sleep 0.1; done"
    ).replace("cut -d' ' -f1", "cut -c1-64")
