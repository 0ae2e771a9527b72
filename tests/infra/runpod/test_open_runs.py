"""What protects a run whose job no state knows of."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from infra.errors import HostError, HostGoneError
from infra.hosts.local import LocalHost
from infra.journal import Journal
from infra.provider.discard import DISCARD
from infra.runpod import open_runs
from infra.runpod.errors import RunpodError
from tests.infra.runpod.things import SPEC, lease

NOW = datetime.now(UTC)
ACCOUNT = "https://runpod.test/v2"
ON_VOLUME = replace(SPEC, volume_id="v1")


@pytest.fixture
def journal(tmp_path, monkeypatch) -> Journal:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RUNPOD_REST_V2_API_URL", ACCOUNT)
    monkeypatch.setattr(open_runs, "pod_host", lambda _: LocalHost())
    monkeypatch.setattr(open_runs, "pod_is_gone", lambda _: False)
    return Journal()


@pytest.fixture
def run(tmp_path) -> str:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    return str(tmp_path / "run")


def rented(journal: Journal, spec=SPEC, **more):
    return journal.write(lease(account=ACCOUNT, name=spec.name, spec=spec.as_dict(), rented_at=NOW, **more))


def unreachable(error: HostError):
    def pod_host(_):
        raise error

    return pod_host


def test_a_run_that_was_begun_keeps_its_pod_and_volume_until_it_is_home(journal, run) -> None:
    rented(journal, ON_VOLUME)
    open_runs.expect_run(ON_VOLUME.name, run)
    assert open_runs.is_expected(ON_VOLUME.name, run)
    with pytest.raises(RunpodError, match=r"never brought home.*DISCARD"):
        open_runs.refuse_to_end(ON_VOLUME.name, {})
    with pytest.raises(RunpodError, match="volume v1"):
        open_runs.refuse_to_remove("v1", {})
    open_runs.refuse_to_end(ON_VOLUME.name, {DISCARD: "1"})
    open_runs.refuse_to_remove("v1", {DISCARD: "1"})
    open_runs.run_is_home(ON_VOLUME.name, run)
    open_runs.refuse_to_end(ON_VOLUME.name, {})
    open_runs.refuse_to_remove("v1", {})
    assert not open_runs.is_expected(ON_VOLUME.name, run)


def test_a_job_that_never_began_a_run_keeps_nothing(journal, tmp_path) -> None:
    rented(journal, ON_VOLUME)
    open_runs.expect_run(ON_VOLUME.name, str(tmp_path / "none"))
    open_runs.refuse_to_end(ON_VOLUME.name, {})
    open_runs.refuse_to_remove("v1", {})


def test_the_next_pod_on_the_volume_is_within_reach_of_the_run_of_the_first(journal, run) -> None:
    rented(journal, ON_VOLUME, id="p1", ended_at=NOW)
    open_runs.expect_run(ON_VOLUME.name, run)
    journal.write(
        replace(journal.leases()[0], id="p2", rented_at=datetime.now(UTC), ended_at=None, open_run="")
    )
    with pytest.raises(RunpodError, match="never brought home"):
        open_runs.refuse_to_end(ON_VOLUME.name, {})


def test_a_pod_that_is_gone_took_the_run_on_its_disk_along_but_not_that_on_a_volume(
    journal, run, monkeypatch
) -> None:
    for spec in (SPEC, ON_VOLUME):
        rented(journal, spec)
        open_runs.expect_run(spec.name, run)
    monkeypatch.setattr(open_runs, "pod_host", unreachable(HostGoneError("gone")))
    open_runs.refuse_to_end(SPEC.name, {})
    with pytest.raises(RunpodError, match="never brought home"):
        open_runs.refuse_to_end(ON_VOLUME.name, {})


def test_a_pod_that_does_not_answer_is_not_ended(journal, run, monkeypatch) -> None:
    rented(journal)
    open_runs.expect_run(SPEC.name, run)
    monkeypatch.setattr(open_runs, "pod_host", unreachable(HostError("no answer")))
    with pytest.raises(RunpodError, match="cannot be seen \\(no answer\\)"):
        open_runs.refuse_to_end(SPEC.name, {})
    monkeypatch.setattr(open_runs, "pod_is_gone", lambda _: True)
    open_runs.refuse_to_end(SPEC.name, {})


def test_other_machines_have_no_leases(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for pod in (open_runs.pod_of(None), open_runs.pod_of({"address": "ssh://gpu"})):
        open_runs.expect_run(pod, "/run")
        open_runs.run_is_home(pod, "/run")
        open_runs.refuse_to_end(pod, {})
        assert not open_runs.is_expected(pod, "/run")
    assert not (tmp_path / "state").exists()
