"""`watch`: what it shows, what it survives, and what it brings home."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import HostError, HostGoneError, RunHomeError
from infra.hosts.local import LocalHost
from infra.jobs.job import JobStatus, ended
from infra.journal import Journal
from infra.runpod.simulator.run import running
from infra.runs.home import HomeReceipt
from stacks import live as live_module
from stacks.live import LiveStack, Look
from stacks.verbs import watch as verb
from stacks.verbs import watch_mirror
from stacks.verbs.watch import what_next
from stacks.verbs.watch_pod import PodRows, to_the_end
from stacks.verbs.watch_table import cells, plain_line
from tests.infra.runpod.things import lease
from tests.stacks.command import stacks

RUNS = JobStatus(state="running")
POD = "sonarstack-runpod-abc123-d1"


class Job:
    """Answers in turn; the last one again and again. An exception among them is raised."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def status(self) -> JobStatus:
        one = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(one, Exception):
            raise one
        return one

    def read_log(self, offset: int = 0) -> bytes:
        return b""


def write_run(folder: Path, steps: int, total: int = 100) -> None:
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"config": {"epochs": 2}}))
    lines = [
        {
            "kind": "step", "step": n, "total_steps": total, "epoch": 0, "loss": 0.5, "images_per_s": 40.0,
            "seconds": 2.0 * n + (n > 10), "usd": 0.01,
        }
        for n in range(1, steps + 1)
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Makes a stack that `open_stack` then finds; `pod` says whether it is rented, `volume` whether it has one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(verb, "RETRY_S", 0.0)
    for name in ("RUNPOD_API_KEY", "RUNPOD_REST_V2_API_URL"):
        monkeypatch.delenv(name, raising=False)
    hosts: list[object] = [LocalHost()]

    def host(where: object) -> LocalHost:
        one = hosts[0]
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(live_module, "open_machine", host)

    def make(*answers: object, pod: bool = True, volume: bool = True, seal: str | None = None) -> LiveStack:
        machine = {"pod": POD, **({"remains": {"dataCenter": "EU-RO-1"}} if volume else {})} if pod else None
        where = {"kind": "pod" if pod else "process", "folder": str(tmp_path / "job")}
        outputs = {"home": str(tmp_path / "home"), "run": {"seal": seal}, "where": where}
        made = LiveStack(
            stack="runpod",
            outputs=outputs,
            job=Job(*answers),
            machine=machine,
            run_path=str(tmp_path / "run"),
        )
        write_run(tmp_path / "run", 20)
        monkeypatch.setattr(live_module, "open_stack", lambda _: made)
        return made

    make.hosts = hosts
    make.folder = tmp_path
    return make


def test_a_local_stack_is_shown_as_before(stack) -> None:
    stack(ended(0), pod=False)
    done = stacks("watch", "runpod")
    assert done.returncode == 0, done.stderr
    assert "state ended: done" in done.stdout
    assert "step 20 of 100" in done.stdout
    assert "spent $0.01 in 0:41" in done.stdout
    assert "pod" not in done.stdout


def test_a_pod_is_told_by_the_journal_where_there_is_no_key(stack) -> None:
    now = datetime.now(UTC)
    Journal().write(
        lease(
            account="https://api.runpod.io/v2", name=POD, rented_at=now - timedelta(hours=1),
            lease_until=now + timedelta(hours=5),
        )
    )  # fmt: skip
    stack(RUNS)
    (rows,) = [json.loads(line) for line in stacks("watch", "runpod", "--once", "--json").stdout.splitlines()]
    assert (rows["pod"], rows["pod_status"], rows["usd_per_h"]) == (POD, None, 0.44)
    assert "needs RUNPOD_API_KEY" in rows["pod_problem"]
    assert rows["machines_usd"] == pytest.approx(0.44, abs=0.01)
    low, high = rows["forecast_usd"]
    assert rows["machines_usd"] < low < high
    # 80 steps at 2 s, or at the pace of the stretch with a hiccup.
    assert rows["seconds_to_end"][0] == pytest.approx(160, abs=1)
    assert rows["lease_seconds_left"] == pytest.approx(5 * 3600, abs=60)


def test_a_pods_own_figures_come_from_the_service_now_and_then(stack, tmp_path, monkeypatch) -> None:
    with running(tmp_path / "runpod", grace_s=0.5) as sim:
        for name, value in sim.variables().items():
            monkeypatch.setenv(name, value)
        made = stack(RUNS)
        times = iter([0.0, 0.0, 5.0, 20.0, 20.0, 40.0, 40.0])
        with PodRows(POD, clock=lambda: next(times)) as pod:
            look = made.look()
            assert pod.rows(look)["pod_status"] == "GONE"
            asked = len(sim.requests())
            assert pod.rows(look)["pod_status"] == "GONE"
            assert len(sim.requests()) == asked
            rows = pod.rows(look)
            assert len(sim.requests()) > asked
            assert rows["simulated"] is True
            sim.faults.arm(kind="status", method="GET", count=9)
            broken = pod.rows(look)
    assert broken["pod_status"] == "GONE"
    assert "does not answer" in broken["pod_problem"] or "503" in broken["pod_problem"]
    assert "as of the last answer" in plain_line({**verb.rows_of("x", look), **broken})


@pytest.mark.parametrize(
    ("left_s", "lease_left_s", "seconds", "usd", "done"),
    [
        ((3600.0, 7200.0), 36000.0, [3600, 7200], [1.5, 2.5], True),
        ((3600.0, 7200.0), 5400.0, [3600, 5400], [1.5, 2.0], None),  # perhaps the lease ends it
        ((3600.0, 7200.0), 1800.0, [1800, 1800], [1.0, 1.0], False),
        ((3600.0, 7200.0), 0.0, None, None, None),
        (None, 5400.0, None, None, None),
        ((3600.0, 7200.0), None, None, None, None),
    ],
)
def test_the_forecast_is_bounded_by_the_lease(left_s, lease_left_s, seconds, usd, done) -> None:
    told = to_the_end(left_s, 1.0, 0.5, lease_left_s)
    assert told == {"seconds_to_end": seconds, "forecast_usd": usd, "done_in_time": done}


def test_a_lost_connection_is_told_once_and_survived(stack) -> None:
    stack(RUNS, HostError("ssh: timed out"), HostError("ssh: timed out"), RUNS, ended(0))
    done = stacks("watch", "runpod", "--interval", "0.2")
    assert done.returncode == 0
    assert done.stdout.count("cannot look now, trying on: ssh: timed out") == 1
    assert "its machine answers again" in done.stdout
    assert "the job is done; next: python -m stacks down runpod" in done.stdout


@pytest.mark.parametrize("words", [(), ("--once",)])
def test_a_stack_that_cannot_be_looked_at_at_all_is_an_error(stack, words) -> None:
    stack(HostError("ssh: no route"))
    done = stacks("watch", "runpod", *words)
    assert (done.returncode, done.stderr) == (1, "error: ssh: no route\n")


def test_the_pods_end_is_told_with_what_to_do_and_the_figures_at_home(stack) -> None:
    made = stack(JobStatus(state="lost", reason="pod x is gone"))
    stack.hosts[0] = HostGoneError("pod x ended: host died")
    write_run(made.home, 12)
    done = stacks("watch", "runpod")
    assert done.returncode == 0, done.stderr
    assert "step 12 of 100" in done.stdout
    assert "pod x is gone; next: python -m stacks up runpod, or python -m stacks down runpod" in done.stdout


def test_what_was_seen_before_the_pods_end_is_kept_where_home_has_less(stack, monkeypatch) -> None:
    stack(RUNS, JobStatus(state="lost", reason="pod x is gone"))
    looks = iter([LocalHost(), HostGoneError("pod x ended")])

    def host(_: object) -> LocalHost:
        one = next(looks)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(live_module, "open_machine", host)
    lines = stacks("watch", "runpod", "--interval", "0.2", "--json").stdout.splitlines()
    assert [json.loads(line).get("step") for line in lines] == [20, 20, None]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ended(0), "the job is done; next: python -m stacks down runpod"),
        (
            ended(80),
            "ended before it was done (deadline); next: python -m stacks up runpod with a higher limit",
        ),
        (ended(1), r"the job failed (exit code 1); next: python -m stacks logs runpod"),
    ],
)
def test_every_end_says_what_to_do(stack, status, words) -> None:
    assert words in what_next(stack(RUNS), Look(status=status, run=stack(RUNS).look().run))


class Home:
    """Stands in for bring_home_open."""

    def __init__(self, monkeypatch, *problems: Exception) -> None:
        self.calls: list[bool] = []
        self.seals: set[str | None] = set()
        self.problems = list(problems)
        monkeypatch.setattr(watch_mirror, "bring_home_open", self)

    def __call__(self, host, path, home, *, seal, job, over, crashed) -> HomeReceipt:
        assert job is not None, "the pod is told that its run is fetched"
        self.seals.add(seal)
        self.calls.append(over)
        if self.problems:
            raise self.problems.pop(0)
        return HomeReceipt(home=str(home), files=3, bytes=1, began=True, complete=over)


def newest(stack, name: str, file: str = "checkpoints/latest.json") -> None:
    (stack.folder / "run" / file).write_text(json.dumps({"name": name}))


@pytest.mark.parametrize(
    ("seal", "file"), [(None, "checkpoints/latest.json"), ("sonarstack-x", "sealed.json")]
)
def test_without_a_volume_each_new_checkpoint_comes_home_and_the_end_too(
    stack, monkeypatch, seal, file
) -> None:
    home = Home(monkeypatch)
    made = stack(RUNS, volume=False, seal=seal)
    told: list[str] = []
    mirror = watch_mirror.Mirror(made, told.append)
    assert "no network volume" in told[0]
    look = made.look()
    mirror.look(look)
    assert home.calls == []
    for name in ("step-1", "step-1", "step-2"):
        newest(stack, name, file)
        mirror.look(look)
    assert (home.calls, home.seals) == ([False, False], {seal})
    over = Look(status=ended(0), run=look.run)
    mirror.look(over)
    mirror.look(over)
    assert home.calls == [False, False, True]
    assert told[1].startswith("brought home at step 20: run in")


def test_a_copy_that_fails_is_told_once_and_tried_again(stack, monkeypatch) -> None:
    home = Home(monkeypatch, RunHomeError("disk full"), RunHomeError("disk full"))
    made = stack(RUNS, volume=False)
    told: list[str] = []
    mirror = watch_mirror.Mirror(made, told.append)
    newest(stack, "step-1")
    for _ in range(4):
        mirror.look(made.look())
    assert home.calls == [False] * 3
    assert [line for line in told if "NOT brought home" in line] == [
        "NOT brought home, tried again at the next look: disk full"
    ]


def test_the_last_copy_is_tried_until_the_machine_is_gone(stack, monkeypatch) -> None:
    home = Home(monkeypatch, RunHomeError("disk full"))
    stack(RUNS, ended(0), volume=False)
    done = stacks("watch", "runpod", "--interval", "0.2")
    assert home.calls[-2:] == [True, True]
    assert "WARNING" not in done.stdout

    def dies(*_: object, **__: object) -> None:
        stack.hosts[0] = HostGoneError("pod x ended")
        raise RunHomeError("disk full")

    stack(RUNS, ended(0), volume=False)
    monkeypatch.setattr(watch_mirror, "bring_home_open", dies)
    done = stacks("watch", "runpod", "--interval", "0.2")
    assert "is not the whole run: its machine went before the last copy" in done.stdout


@pytest.mark.parametrize(("words", "volume"), [(("--no-mirror",), False), ((), True)])
def test_with_a_volume_or_without_the_wish_nothing_is_copied(stack, monkeypatch, words, volume) -> None:
    home = Home(monkeypatch)
    stack(RUNS, ended(0), volume=volume)
    newest(stack, "step-1")
    done = stacks("watch", "runpod", "--interval", "0.2", *words)
    assert home.calls == []
    assert "no network volume" not in done.stdout


def test_several_gpus_and_a_deadline_as_people_read_them() -> None:
    rows = {
        **verb.rows_of("runpod", Look(status=RUNS, run=LiveRun)),
        "pod": POD, "pod_status": "RUNNING", "pod_problem": None, "simulated": True, "gpu_name": "2 x RTX 4090",
        "gpus_percent": [93, 88], "gpus_memory_percent": [41, 40], "usd_per_h": 0.88, "machines_usd": 0.5,
        "lease_until": "2026-11-22T14:00:00+00:00", "lease_seconds_left": 7980.0, "pod_ended": None,
        "seconds_to_end": [60.0, 3700.0], "forecast_usd": [0.51, 1.4], "done_in_time": False,
    }  # fmt: skip
    told = dict(cells(rows))
    assert told["machine"] == "SIMULATED RUNNING, 2 x RTX 4090"
    assert told["GPU"] == "93 %, 88 % busy, 41 %, 40 % of its memory"
    assert told["left"] == "1:00 to 1:01:40, NOT DONE BY THEN: its lease ends first"
    assert told["forecast"] == "$0.51 to $1.40 by then"
    assert told["deadline"] == "in 2:13:00, at 2026-11-22 14:00 UTC"
    assert dict(cells({**rows, "pod_ended": "destroyed"}))["machine"] == "SIMULATED ended: destroyed"


LiveRun = live_module.run_status(None, [])
