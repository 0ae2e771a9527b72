"""The driver against the real plugin process, with jobs of a few lines of shell."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pulumi
import pytest

from infra.errors import InfraError
from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedJob
from infra.provider.resources import LocalProcess, TrainingRun
from infra.provider.values import SECRET, SIGNATURE
from stacks.without_engine import verbs
from stacks.without_engine.monitor import Monitor
from stacks.without_engine.plugin import Plugin, open_plugin
from stacks.without_engine.state import Kept, State
from stacks.without_engine.steps import Steps

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]
SLEEPS = "sleep 60"
ENDS_IN_TIME = "trap 'exit 80' TERM; while :; do sleep 0.1; done"
GOOD_RUN = (
    "mkdir -p run && cd run && echo '{}' >run.json && trap 'exit 83' TERM && "
    'echo "{\\"complete\\": false, \\"files\\": {\\"run.json\\": \\"$(sha256sum run.json | cut -c1-64)\\"}}"'
    " >manifest.json; while :; do sleep 0.1; done"
)
BAD_RUN = GOOD_RUN.replace("$(sha256sum run.json | cut -c1-64)", "0" * 64)


class Stack:
    """A job and its run, as the local target has them; what each step said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, []

    def program(self, script: str, *, run: bool = True, secret: str = "hush", extra: bool = False) -> None:
        process = LocalProcess(
            "job",
            folder=str(self.folder / "job"),
            argv=["sh", "-c", script],
            variables=pulumi.Output.secret({"SONARSTACK_SECRET_ID": secret}),
            cwd=str(self.folder),
            stamp="ours",
        )
        if run:
            TrainingRun(
                "run",
                where=process.where,
                run_path=str(self.folder / "run"),
                home=str(self.folder / "run"),
                stop_grace_s=10,
                opts=pulumi.ResourceOptions(depends_on=[process]),
            )
        if extra:
            pulumi.CustomResource("aws:s3/bucket:Bucket", "bucket", {"acl": "private"})
        pulumi.export("where", process.where)

    def up(self, script: str, **more) -> None:
        self.said.clear()
        verbs.up_program(lambda: self.program(script, **more), self.folder, "test", self.said.append)

    def refresh(self) -> None:
        self.said.clear()
        verbs.refresh(self.folder, "test", self.said.append)

    def destroy(self) -> None:
        self.said.clear()
        verbs.destroy(self.folder, "test", self.said.append)

    @property
    def kept(self) -> dict[str, Kept]:
        return {one.name: one for one in verbs.state_of(self.folder, "test").in_order()}

    def job(self) -> DetachedJob:
        return DetachedJob(LocalHost(), str(self.folder / "job"))


@pytest.fixture
def stack(tmp_path):
    made = Stack(tmp_path)
    yield made
    if (tmp_path / "job").exists():
        made.job().stop(0)


def test_outputs_of_one_feed_the_next(stack) -> None:
    stack.up(SLEEPS)
    assert list(stack.kept) == ["job", "run"]
    assert stack.kept["run"].inputs["where"] == stack.kept["job"].outputs["where"]
    assert stack.kept["run"].outputs["state"] == "running"
    assert verbs.outputs_of(stack.folder, "test")["where"]["folder"] == str(stack.folder / "job")
    assert stack.job().status().state == "running"


def test_urns_are_the_engines(stack) -> None:
    stack.up(SLEEPS, run=False)
    (urn,) = [one.urn for one in stack.kept.values()]
    assert urn == "urn:pulumi:test::sonarstack::sonarstack:index:LocalProcess::job"


def test_a_second_up_changes_nothing(stack) -> None:
    stack.up(SLEEPS)
    began = (stack.folder / "job" / "pid").read_text()
    stack.up(SLEEPS)
    assert all(line.startswith("=") for line in stack.said)
    assert (stack.folder / "job" / "pid").read_text() == began


def test_another_job_replaces_the_old_one_and_what_hangs_on_it_first(stack) -> None:
    stack.up(GOOD_RUN)
    stack.up("echo other; sleep 60")
    verbs_said = [line.split()[0] + line.split()[1] for line in stack.said]
    assert verbs_said == ["+-job", "-run", "-job", "+job", "+run"]
    assert stack.kept["job"].inputs["argv"][-1].startswith("echo other")


def test_what_the_program_no_longer_asks_for_is_deleted(stack) -> None:
    stack.up(GOOD_RUN)
    stack.up(GOOD_RUN, run=False)
    assert list(stack.kept) == ["job"]
    assert any(line.startswith("-  run") for line in stack.said)


def test_an_update_leaves_the_id(stack) -> None:
    stack.up(ENDS_IN_TIME)
    before = stack.kept["run"]
    stack.job().stop(5)
    stack.up(ENDS_IN_TIME)
    assert stack.kept["run"].id == before.id
    assert stack.kept["run"].outputs["outcome"] == "deadline"
    assert any(line.startswith("~  run") for line in stack.said)


def test_refresh_looks(stack) -> None:
    stack.up(ENDS_IN_TIME)
    stack.job().stop(5)
    stack.refresh()
    assert stack.kept["run"].outputs["outcome"] == "deadline"
    assert any(line.startswith("~") and "outcome" in line for line in stack.said)


def test_refresh_forgets_what_is_gone(stack) -> None:
    stack.up(SLEEPS, run=False)
    stack.job().stop(0)
    stack.job().remove()
    stack.refresh()
    assert stack.said == ["-  job (LocalProcess): gone, forgotten"]
    assert stack.kept == {}


def test_destroy_goes_backwards_and_ends_the_job(stack) -> None:
    stack.up(GOOD_RUN)
    stack.destroy()
    assert [line.split()[1] for line in stack.said] == ["run", "job"]
    assert stack.kept == {}
    assert verbs.outputs_of(stack.folder, "test") == {}
    assert (stack.folder / "run" / "run.json").is_file()


def test_destroy_stops_at_the_first_refusal(stack) -> None:
    stack.up(BAD_RUN)
    with pytest.raises(InfraError, match=r"run: .*run\.json differs"):
        stack.destroy()
    assert list(stack.kept) == ["job", "run"]


def test_a_failed_job_stays_in_the_state_with_its_reason(stack) -> None:
    with pytest.raises(InfraError, match="run: the job failed: exit code 1"):
        stack.up("echo the disk is full; exit 1")
    assert stack.kept["run"].problems
    assert stack.kept["run"].outputs["state"] == "failed"


def test_nothing_hangs_on_what_was_refused(stack) -> None:
    def program() -> None:
        process = LocalProcess("job", folder="", argv=[], variables={}, cwd="", stamp="ours")
        TrainingRun("late", where=process.where, run_path="/nowhere", home="/nowhere")

    with pytest.raises(InfraError, match=r"job: .*argv is missing"):
        verbs.up_program(program, stack.folder, "test", stack.said.append)
    assert stack.kept == {}


def test_other_providers_are_refused_in_one_line(stack) -> None:
    with pytest.raises(InfraError, match=r"bucket: .*only Pulumi's engine can make; get it: make engine"):
        stack.up(SLEEPS, extra=True)


def test_secrets_are_marked_both_ways_and_the_file_is_ours_alone(stack, monkeypatch) -> None:
    asked = []
    create = Plugin.create
    monkeypatch.setattr(
        Plugin, "create", lambda self, urn, inputs: asked.append(inputs) or create(self, urn, inputs)
    )
    stack.up(SLEEPS, run=False)
    assert asked[0].secrets == {"variables"}
    assert stack.kept["job"].secrets == ["variables"]
    path = stack.folder / "test.without-engine.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_plugin() as plugin:
        state = verbs.state_of(stack.folder, "test")
        monitor = Monitor(Steps(plugin, state, stack.said.append), state, "sonarstack", "test")
        answer = monitor.RegisterResource(_request(stack.kept["job"]))
    told = answer.object.fields["variables"].struct_value.fields
    assert told[SIGNATURE].string_value == SECRET


def _request(kept: Kept):
    from pulumi.runtime.proto import resource_pb2

    from infra.provider.values import encode

    return resource_pb2.RegisterResourceRequest(
        type=kept.token, name=kept.name, custom=True, object=encode(kept.inputs, kept.secrets)
    )


def test_the_order_follows_needs_and_not_the_file(tmp_path) -> None:
    state = State(tmp_path / "x.json")
    for name, needs in (("c", ["b"]), ("b", ["a"]), ("a", ["gone"])):
        state.put(Kept(urn=name, id=name, inputs={}, outputs={}, needs=needs))
    assert [one.urn for one in State(tmp_path / "x.json").in_order()] == ["a", "b", "c"]


def test_ctrl_c_cancels_and_keeps_what_is_there(stack) -> None:
    """As a user has it: the program as a process of its own, which gets SIGINT."""
    code = (
        "import sys; from pathlib import Path; from stacks.without_engine import verbs\n"
        "from infra.errors import InfraError\n"
        "from infra.provider.resources import LocalProcess, TrainingRun\n"
        f"folder = {str(stack.folder)!r}\n"
        "def program():\n"
        "    job = LocalProcess('job', folder=folder + '/job', argv=['sleep', '60'], variables={}, cwd=folder,\n"
        "                       stamp='ours')\n"
        "    TrainingRun('run', where=job.where, run_path=folder + '/run', home=folder + '/run', wait=True)\n"
        "try: verbs.up_program(program, Path(folder), 'test', lambda line: print(line, flush=True))\n"
        "except InfraError as error: sys.exit(str(error))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "job (LocalProcess): made" in process.stdout.readline()
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "the job itself goes on" in err
    assert "Traceback" not in err
    assert stack.kept["run"].problems
    assert stack.job().status().state == "running"


def test_the_command_line_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stacks.without_engine", "sideways"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "up|refresh|destroy" in done.stderr


def test_the_state_file_is_whole_after_each_step(tmp_path) -> None:
    state = State(tmp_path / "x.json")
    state.put(Kept(urn="a", id="a", inputs={"k": 1}, outputs={}))
    assert json.loads((tmp_path / "x.json").read_text())["resources"][0]["inputs"] == {"k": 1}
    state.drop("a")
    assert json.loads((tmp_path / "x.json").read_text())["resources"] == []
