"""Detached jobs: started once, found again, ended with their code, whatever dies when."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import JobError
from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedJob, DetachedSpec, adopt, start_detached, where_of
from infra.jobs.job import follow_log, log_tail, open_job, wait_for
from infra.jobs.shell import LAUNCH, WRAPPER

HOST = LocalHost()


def spec(tmp_path, script: str, **changed) -> DetachedSpec:
    values = {"variables": {}, "stamp": "ours", **changed}
    folder = str(tmp_path / "job")
    return DetachedSpec(folder=folder, argv=("sh", "-c", script), cwd=str(tmp_path), **values)


def pids(tmp_path) -> list[int]:
    return [int(word) for word in (tmp_path / "job" / "pid").read_text().split()[:2]]


@pytest.fixture(autouse=True)
def ends_its_jobs(tmp_path):
    yield
    if (tmp_path / "job" / "pid").exists():
        DetachedJob(HOST, str(tmp_path / "job")).stop(0)


@pytest.mark.parametrize(
    ("code", "state", "outcome"),
    [(0, "ended", "done"), (83, "ended", "interrupted"), (7, "failed", "failed")],
)
def test_a_job_ends_with_its_code(tmp_path, code, state, outcome) -> None:
    job = start_detached(HOST, spec(tmp_path, f"echo hello; exit {code}"))
    status = wait_for(job, timeout_s=20)
    assert (status.state, status.exit_code, status.outcome) == (state, code, outcome)
    assert log_tail(job) == "hello"


def test_it_sees_its_variables_and_none_of_ours(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SONARSTACK_DISCARD_RESULTS", "1")
    monkeypatch.setenv("OTHER", "kept")
    script = 'echo "$SONARSTACK_RECIPE|$SONARSTACK_DISCARD_RESULTS|$OTHER|$PWD"'
    job = start_detached(HOST, spec(tmp_path, script, variables={"SONARSTACK_RECIPE": 'it\'s "$HOME"\n2nd'}))
    wait_for(job, timeout_s=20)
    assert log_tail(job) == f'it\'s "$HOME"\n2nd||kept|{tmp_path}'


def test_variables_are_in_no_list_of_processes_and_no_file(tmp_path) -> None:
    start_detached(HOST, spec(tmp_path, "sleep 30", variables={"SONARSTACK_SECRET_ID": "hush-hush"}))
    listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "hush-hush" not in listed
    assert not [p for p in (tmp_path / "job").iterdir() if p.is_file() and b"hush-hush" in p.read_bytes()]
    assert oct((tmp_path / "job").stat().st_mode)[-3:] == "700"


def test_the_same_job_is_never_started_twice(tmp_path) -> None:
    one = spec(tmp_path, f"echo run >>{tmp_path}/runs; sleep 30")
    start_detached(HOST, one)
    before = pids(tmp_path)
    start_detached(HOST, one)
    assert pids(tmp_path) == before
    assert adopt(HOST, one) is not None
    DetachedJob(HOST, one.folder).stop(5)
    start_detached(HOST, one)
    assert (tmp_path / "runs").read_text() == "run\n"


def test_two_wrappers_at_once_run_one_job(tmp_path) -> None:
    one = spec(tmp_path, f"echo run >>{tmp_path}/runs; sleep 1")
    parts = [one.digest(), one.stamp, one.cwd, one.folder, WRAPPER, *one.argv]
    starters = [
        subprocess.Popen(["sh", "-c", LAUNCH, "launch", *parts], stdin=subprocess.DEVNULL) for _ in range(6)
    ]
    assert [s.wait() for s in starters] == [0] * 6
    wait_for(DetachedJob(HOST, one.folder), timeout_s=20)
    assert (tmp_path / "runs").read_text() == "run\n"


def test_another_job_in_the_folder_waits_for_the_end_of_the_first(tmp_path) -> None:
    start_detached(HOST, spec(tmp_path, "sleep 30"))
    other = spec(tmp_path, "echo other")
    with pytest.raises(JobError, match="runs another job; stop it"):
        start_detached(HOST, other)
    DetachedJob(HOST, other.folder).stop(5)
    job = start_detached(HOST, other)
    wait_for(job, timeout_s=20)
    assert log_tail(job) == "other"


def test_another_trigger_is_another_job(tmp_path) -> None:
    first = spec(tmp_path, "echo run")
    wait_for(start_detached(HOST, first), timeout_s=20)
    again = spec(tmp_path, "echo again", trigger="2")
    assert first.digest() != again.digest()
    job = start_detached(HOST, again)
    wait_for(job, timeout_s=20)
    assert log_tail(job) == "again"


def test_a_stop_lets_the_job_write_its_checkpoint(tmp_path) -> None:
    script = (
        f"trap 'echo saved >{tmp_path}/checkpoint; exit 83' TERM; echo ready; while :; do sleep 0.1; done"
    )
    job = start_detached(HOST, spec(tmp_path, script))
    wait_for(job, until=lambda s: "ready" in log_tail(job), timeout_s=20)
    status = job.stop(20)
    assert (status.state, status.exit_code, status.outcome) == ("ended", 83, "interrupted")
    assert (tmp_path / "checkpoint").exists()


def test_a_job_that_will_not_end_is_killed_after_the_grace(tmp_path) -> None:
    job = start_detached(HOST, spec(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done"))
    wait_for(job, until=lambda s: "ready" in log_tail(job), timeout_s=20)
    status = job.stop(1)
    assert (status.state, status.exit_code) == ("failed", 137)
    assert "signal 9" in status.reason


def test_what_the_job_left_behind_goes_with_it(tmp_path) -> None:
    script = f"(trap '' TERM; sleep 60) & echo $! >{tmp_path}/left; trap 'exit 83' TERM; while :; do sleep 0.1; done"
    job = start_detached(HOST, spec(tmp_path, script))
    wait_for(
        job,
        until=lambda s: (tmp_path / "left").exists() and (tmp_path / "left").read_text() != "",
        timeout_s=20,
    )
    job.stop(10)
    left = int((tmp_path / "left").read_text())
    for _ in range(50):
        if not _alive(left):
            break
        time.sleep(0.1)
    assert not _alive(left)


def test_a_job_outlives_its_starter(tmp_path) -> None:
    code = (
        "import sys; from infra.hosts.local import LocalHost; from infra.jobs.detached import *;"
        f"start_detached(LocalHost(), DetachedSpec(folder={str(tmp_path / 'job')!r},"
        " argv=('sh', '-c', 'sleep 1; exit 80'),"
        f" cwd={str(tmp_path)!r}, variables={{}}, stamp='s')); import os, signal; os.killpg(0, signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], start_new_session=True, check=False)
    status = wait_for(open_job(where_of(None, str(tmp_path / "job"))), timeout_s=20)
    assert (status.exit_code, status.outcome) == (80, "deadline")


def test_a_starter_that_died_before_the_launch_is_made_good(tmp_path) -> None:
    one = spec(tmp_path, "echo run")
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "spec").write_text(one.digest() + "\n")
    assert DetachedJob(HOST, one.folder).status().state == "waiting"
    job = start_detached(HOST, one)
    wait_for(job, timeout_s=20)
    assert log_tail(job) == "run"


def test_a_killed_wrapper_is_lost_and_not_running(tmp_path) -> None:
    job = start_detached(HOST, spec(tmp_path, "sleep 30"))
    wrapper, child = pids(tmp_path)
    os.kill(wrapper, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    status = wait_for(job, timeout_s=20)
    assert status.state == "lost"
    assert status.outcome == "failed"
    assert "power cut, or kill -9" in status.reason


def test_a_reused_process_number_is_not_taken_for_the_job(tmp_path) -> None:
    one = spec(tmp_path, "sleep 30")
    job = start_detached(HOST, one)
    text = (tmp_path / "job" / "pid").read_text().split()
    job.stop(2)
    (tmp_path / "job" / "exit_code").unlink()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "job" / "pid").write_text(f"{stranger.pid} {stranger.pid} {text[2]} {text[3]}\n")
        assert job.status().state == "lost"
        job.stop(1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_log_is_followed_to_its_end(tmp_path) -> None:
    job = start_detached(
        HOST, spec(tmp_path, "for i in 1 2 3; do echo line $i; sleep 0.2; done; printf tail")
    )
    assert list(follow_log(job, pause_s=0.05)) == ["line 1", "line 2", "line 3", "tail"]


def test_a_command_that_is_not_there(tmp_path) -> None:
    folder = str(tmp_path / "job")
    job = start_detached(
        HOST, DetachedSpec(folder=folder, argv=("no-such",), variables={}, cwd=str(tmp_path), stamp="s")
    )
    assert wait_for(job, timeout_s=20).exit_code == 127


def test_a_directory_that_is_not_there(tmp_path) -> None:
    with pytest.raises(JobError, match="is no folder"):
        start_detached(
            HOST,
            DetachedSpec(
                folder=str(tmp_path / "job"), argv=("true",), variables={}, cwd="/nowhere", stamp="s"
            ),
        )


def test_no_job_is_lost_and_removing_it_is_fine(tmp_path) -> None:
    job = DetachedJob(HOST, str(tmp_path / "none"))
    assert job.status().state == "lost"
    job.remove()


def test_a_running_job_is_not_removed(tmp_path) -> None:
    job = start_detached(HOST, spec(tmp_path, "sleep 30"))
    with pytest.raises(JobError, match="still runs; stop it first"):
        job.remove()
    job.stop(2)
    job.remove()
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize("other", ["perl", "python3"])
def test_without_setsid_the_job_still_has_a_session_of_its_own(tmp_path, monkeypatch, other) -> None:
    """macOS has no setsid(1); the other ways are taken where it is hidden."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "mkdir", "cat", "mv", "sed", "awk", "env", "rm", "sleep", "find", "ps", "tr", other):
        found = sys.executable if name == "python3" else shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    job = start_detached(HOST, spec(tmp_path, "trap 'exit 83' TERM; echo ready; while :; do sleep 0.1; done"))
    wait_for(job, until=lambda s: "ready" in log_tail(job), timeout_s=20)
    wrapper, child = pids(tmp_path)
    assert os.getsid(wrapper) == os.getsid(child) == wrapper
    assert job.stop(10).exit_code == 83


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
