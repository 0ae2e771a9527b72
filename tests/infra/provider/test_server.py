"""Upload and TrainingRun over a real sshd: code goes there, the job runs, its run comes home."""

import os
import subprocess
from pathlib import Path
from threading import Event

import pytest

from infra.errors import RunHomeError
from infra.provider.discard import DISCARD
from infra.provider.table import Call
from infra.provider.tables.training_run import TrainingRunTable
from infra.provider.tables.upload import UploadTable

CALL = Call(cancelled=Event(), variables={})
JOB = (
    "mkdir -p ../run && cp ../code/hello.txt ../run/run.json && cd ../run && "
    'trap \'echo "{\\"complete\\": false, \\"files\\": {\\"run.json\\": \\"$(sha256sum run.json | cut -c1-64)\\"}}" '
    ">manifest.json; exit 83' TERM; while :; do sleep 0.1; done"
)


@pytest.fixture
def where(sshd, tmp_path, monkeypatch):
    """The server as a stack knows it; our key is in an agent, as a user's is."""
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        for _ in range(100):
            if (
                subprocess.run(["ssh-add", "-q", sshd.identity], capture_output=True, check=False).returncode
                == 0
            ):
                break
        yield {"address": sshd.address, "hostKey": sshd.host_key}
    finally:
        agent.terminate()
        agent.wait()


@pytest.fixture
def code(tmp_path) -> Path:
    folder = tmp_path / "code-here"
    folder.mkdir()
    (folder / "hello.txt").write_text("{}")
    return folder


def inputs_of(where, sshd, tmp_path) -> dict:
    return {
        "start": {
            "folder": f"{sshd.home}/job",
            "argv": ["sh", "-c", JOB],
            "variables": {"SONARSTACK_RECIPE": "smoke"},
            "cwd": f"{sshd.home}/code",
            "stamp": "ours",
        },
        "runHost": where,
        "runPath": f"{sshd.home}/run",
        "home": str(tmp_path / "here"),
        "stopGraceS": 10,
    }


def test_from_upload_to_the_run_at_home(where, sshd, code, tmp_path) -> None:
    upload, run = UploadTable(), TrainingRunTable()
    sent = {"host": where, "source": str(code), "target": f"{sshd.home}/code"}
    made = upload.create(CALL, sent)
    assert made.outputs["files"] == 1
    assert upload.moved(CALL, made.id, sent, made.outputs) == []
    (code / "more.txt").write_text("x")
    assert upload.moved(CALL, made.id, sent, made.outputs) == ["sha256"]

    inputs = inputs_of(where, sshd, tmp_path)
    job = run.create(CALL, inputs)
    assert job.outputs["state"] == "running"
    assert run.create(CALL, inputs).id == job.id  # adopted, not started again
    run.delete(CALL, job.id, inputs, job.outputs)
    assert (tmp_path / "here" / "run.json").read_text() == "{}"
    assert not (sshd.home / "job").exists()
    upload.delete(CALL, made.id, sent, made.outputs)
    assert not (sshd.home / "code").exists()


def test_a_run_that_cannot_come_home_stops_the_destroy(where, sshd, code, tmp_path) -> None:
    UploadTable().create(CALL, {"host": where, "source": str(code), "target": f"{sshd.home}/code"})
    run, inputs = TrainingRunTable(), inputs_of(where, sshd, tmp_path)
    job = run.create(CALL, inputs)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.json").write_text("another run")
    with pytest.raises(RunHomeError, match=f"holds another run.*nothing was destroyed. {DISCARD}=1"):
        run.delete(CALL, job.id, inputs, job.outputs)
    assert (sshd.home / "run" / "run.json").exists()
    discarding = Call(cancelled=Event(), variables={**os.environ, DISCARD: "1"})
    run.delete(discarding, job.id, inputs, job.outputs)
