"""The entrypoint on its own, with a stand-in for python."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).resolve().parents[2] / "images" / "entrypoint"


@pytest.fixture
def start(tmp_path):
    """Start it with a `python` that is a shell script."""
    started = []

    def run(script: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        fake = tmp_path / "python"
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        process = subprocess.Popen(
            ["sh", str(ENTRYPOINT), *words],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        # The whole session: what it started holds its pipes open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


@pytest.mark.parametrize("code", [0, 1, 80, 83])
def test_it_ends_with_the_jobs_code(start, code) -> None:
    assert start(f"exit {code}", "train").wait(10) == code


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        ((), "-m app train --run /runs/latest"),
        (("detect", "/data"), "-m app detect /data"),
        (
            ("tensorboard", "/runs/x"),
            "-m tensorboard.main --logdir /runs/x --host 0.0.0.0 --port 6006 --load_fast=false",
        ),
    ],
)
def test_it_starts_what_was_asked_for(start, words, ran) -> None:
    out, _ = start('echo "$*"', *words).communicate(timeout=10)
    assert out.strip() == ran


def test_a_signal_reaches_the_job_and_its_code_comes_back(start) -> None:
    process = start("trap 'echo saved; exit 83' TERM; echo ready; while :; do sleep 0.1; done", "train")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 83
    assert process.stdout.read() == "saved\n"


def test_a_signal_before_the_job_has_a_handler_ends_it_too(start) -> None:
    process = start("exec sleep 30", "train")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM


def test_another_version_of_the_seam_is_refused_in_one_line(start) -> None:
    process = start("echo never", "train", SONARSTACK_SEAM="99")
    out, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert out == ""
    assert "speaks version 99" in err
    assert "this image version 1" in err
