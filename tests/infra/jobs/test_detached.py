"""Detached jobs: started once, found again, ended with their code, whatever dies when."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import JobError
from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedJob, DetachedSpec, adopt, restart_detached, start_detached, where_of
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


def files_with(folder: Path, words: str) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and words.encode() in p.read_bytes()]


def rooms_with(words: str) -> list[Path]:
    """Folders of secrets in memory; other jobs have theirs there too."""
    return [room for room in Path("/dev/shm").glob("sonarstack-*") if files_with(room, words)]


def test_variables_are_in_no_list_of_processes_and_secret_ones_in_no_file(tmp_path) -> None:
    hush = f"hush{secrets.token_hex(8)}"
    kinds = {
        "variables": {"SONARSTACK_GROUP": "plain-words"},
        "late": {"SONARSTACK_HOURS": "late-words"},
        "secret": {"SONARSTACK_KEY": f"it's\n{hush}", "OTHER_KEY": hush},
    }
    one = spec(tmp_path, 'echo "$SONARSTACK_GROUP|$SONARSTACK_HOURS|$SONARSTACK_KEY"; sleep 30', **kinds)
    job = start_detached(HOST, one)
    wait_for(job, until=lambda s: log_tail(job).endswith(hush), timeout_s=20)
    assert log_tail(job) == f"plain-words|late-words|it's\n{hush}"
    assert hush not in repr(one)
    listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert not [words for words in ("plain-words", "late-words", hush) if words in listed]
    (tmp_path / "job" / "log").unlink()
    assert not files_with(tmp_path, hush)
    assert not rooms_with(hush)
    assert files_with(tmp_path, "plain-words") == [tmp_path / "job" / "again"]
    assert oct((tmp_path / "job").stat().st_mode)[-3:] == "700"
    assert oct((tmp_path / "job" / "again").stat().st_mode)[-3:] == "700"


def test_secrets_wait_in_memory_and_not_in_the_folder(tmp_path) -> None:
    """A wrapper that does nothing leaves what it was given where it was put."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no /dev/shm here")
    hush = f"hush{secrets.token_hex(8)}"
    one = spec(tmp_path, "true", secret={"SONARSTACK_KEY": hush})
    parts = (one.digest(), one.stamp, one.cwd, one.folder, "true", *one.argv)
    assert HOST.run(["sh", "-c", LAUNCH, "launch", *parts], data=one.launch_input()).code == 0
    rooms = rooms_with(hush)
    try:
        assert not files_with(tmp_path, hush)
        assert len(rooms) == 1
        assert oct(rooms[0].stat().st_mode)[-3:] == "700"
    finally:
        for room in rooms:
            shutil.rmtree(room)


def test_what_is_late_or_secret_makes_no_other_job(tmp_path) -> None:
    plain = spec(tmp_path, "true")
    assert spec(tmp_path, "true", late={"SONARSTACK_HOURS": "3"}).digest() == plain.digest()
    one, other, named = (spec(tmp_path, "true", secret={k: v}) for k, v in ("A1", "A2", "B1"))
    assert one.digest() == other.digest()
    assert len({plain.digest(), one.digest(), named.digest()}) == 3


def test_a_variable_is_of_one_kind(tmp_path) -> None:
    with pytest.raises(ValueError, match="A: each variable is of one kind"):
        spec(tmp_path, "true", variables={"A": "1"}, secret={"A": "2"})


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


def restart_the_machine(tmp_path, *, pid_is_left: bool = False) -> None:
    """What a restart of a container leaves: files, and no process of the job. Then what its program does."""
    folder = tmp_path / "job"
    for pid in pids(tmp_path):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder / "started")
    if not pid_is_left:
        (folder / "pid").unlink()
    machine = {**os.environ, "SONARSTACK_LEFT": "its own", "SONARSTACK_MACHINE_JOB": "its own"}
    subprocess.run(["sh", str(folder / "again")], check=True, stdin=subprocess.DEVNULL, cwd="/", env=machine)


AWKWARD = 'it\'s "$HOME"\n`2nd` \\ line\n'


@pytest.mark.parametrize("pid_is_left", [True, False])
def test_a_machine_that_was_restarted_starts_the_very_same_job(tmp_path, pid_is_left) -> None:
    script = 'printf "%s|%s|%s|%s\n" "$SONARSTACK_RECIPE" "$SONARSTACK_LEFT" "$PWD" "$1"; exec sleep 30'
    one = DetachedSpec(
        folder=str(tmp_path / "job"), argv=("sh", "-c", script, "x", AWKWARD), cwd=str(tmp_path), stamp="ours",
        variables={"SONARSTACK_RECIPE": AWKWARD}, late={"SONARSTACK_LEFT": "3"},
    )  # fmt: skip
    job = start_detached(HOST, one)
    told = f"{AWKWARD}|3|{tmp_path}|{AWKWARD}\n".encode()
    wait_for(job, until=lambda s: job.read_log() == told, timeout_s=20)
    wrapper, child = pids(tmp_path)
    restart_the_machine(tmp_path, pid_is_left=pid_is_left)
    for _ in range(200):
        if job.status().state == "running" and pids(tmp_path)[0] != wrapper and job.read_log() == 2 * told:
            break
        time.sleep(0.05)
    assert job.read_log() == 2 * told
    wrapper, child = pids(tmp_path)
    assert os.getsid(child) == wrapper
    assert "SONARSTACK_MACHINE_JOB" not in Path(f"/proc/{child}/environ").read_text()
    assert adopt(HOST, one) is not None
    assert job.stop(5).exit_code == 128 + signal.SIGTERM


def test_again_starts_no_second_job_beside_one_that_runs(tmp_path) -> None:
    job = start_detached(HOST, spec(tmp_path, f"echo run >>{tmp_path}/runs; sleep 30"))
    before = pids(tmp_path)
    subprocess.run(["sh", str(tmp_path / "job" / "again")], check=True, stdin=subprocess.DEVNULL)
    time.sleep(0.3)
    assert (pids(tmp_path), job.status().state) == (before, "running")
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_job_with_secrets_is_its_owners_to_start_again(tmp_path) -> None:
    one = spec(tmp_path, 'echo "run $SONARSTACK_KEY"; sleep 30', secret={"SONARSTACK_KEY": "hush"})
    job = start_detached(HOST, one)
    wait_for(job, until=lambda s: "run hush" in log_tail(job), timeout_s=20)
    restart_the_machine(tmp_path)
    status = job.status()
    assert (status.state, status.outcome, status.exit_code) == ("lost", "failed", None)
    assert "without the job's secrets; run `up`" in status.reason
    assert log_tail(job).splitlines()[1].startswith("sonarstack: this job needs secrets")
    start_detached(HOST, one)
    wait_for(job, until=lambda s: log_tail(job).endswith("run hush"), timeout_s=20)
    assert log_tail(job).count("run hush") == 2
    assert job.status().state == "running"


def test_a_lost_job_is_started_anew_and_its_log_goes_on(tmp_path) -> None:
    job = start_detached(HOST, spec(tmp_path, "echo first; sleep 30"))
    wait_for(job, until=lambda s: log_tail(job) == "first", timeout_s=20)
    for pid in pids(tmp_path):
        os.kill(pid, signal.SIGKILL)
    wait_for(job, timeout_s=20)
    for left in ("machine", "released", "owner_must_start", "exit_code.part"):
        (tmp_path / "job" / left).write_text("old")
    other = spec(tmp_path, "echo second; exit 80", trigger="2")
    again = restart_detached(HOST, other)
    assert wait_for(again, timeout_s=20).exit_code == 80
    assert log_tail(again) == "first\nsecond"
    assert again.stored_spec() == other.digest()
    names = {path.name for path in (tmp_path / "job").iterdir()}
    assert names == {"spec", "stamp", "again", "started", "pid", "log", "exit_code"}


def test_a_job_that_ended_on_an_earlier_machine_is_started_anew(tmp_path) -> None:
    one = spec(tmp_path, f"echo run >>{tmp_path}/runs; exit 83")
    wait_for(start_detached(HOST, one), timeout_s=20)
    (tmp_path / "job" / "pid").write_text("1 1 x x\n")
    assert wait_for(restart_detached(HOST, one), timeout_s=20).exit_code == 83
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_job_that_runs_or_begins_is_not_started_anew(tmp_path) -> None:
    one = spec(tmp_path, "sleep 30")
    start_detached(HOST, one)
    before = pids(tmp_path)
    with pytest.raises(JobError, match="still runs; stop it first"):
        restart_detached(HOST, one)
    assert pids(tmp_path) == before
    kept = (tmp_path / "job" / "pid").rename(tmp_path / "pid")
    with pytest.raises(JobError, match="still runs; stop it first"):
        restart_detached(HOST, one)
    kept.rename(tmp_path / "job" / "pid")


def test_what_a_killed_wrapper_left_running_ends_before_the_new_start(tmp_path) -> None:
    script = (
        f"trap 'echo saved >{tmp_path}/checkpoint; exit 83' TERM; echo ready; while :; do sleep 0.1; done"
    )
    job = start_detached(HOST, spec(tmp_path, script))
    wait_for(job, until=lambda s: "ready" in log_tail(job), timeout_s=20)
    wrapper, child = pids(tmp_path)
    os.kill(wrapper, signal.SIGKILL)
    assert wait_for(job, timeout_s=20).state == "lost"
    restart_detached(HOST, spec(tmp_path, "sleep 30"))
    assert not _alive(child)
    assert (tmp_path / "checkpoint").read_text() == "saved\n"


@pytest.mark.parametrize("other", ["perl", "python3"])
def test_without_setsid_the_job_still_has_a_session_of_its_own(tmp_path, monkeypatch, other) -> None:
    """macOS has no setsid(1); the other ways are taken where it is hidden."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (
        "sh",
        "mkdir",
        "cat",
        "mv",
        "sed",
        "awk",
        "env",
        "rm",
        "sleep",
        "find",
        "ps",
        "tr",
        "chmod",
        other,
    ):
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
