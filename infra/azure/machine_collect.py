"""What a machine on Azure tells while it works: figures of its GPUs, and what the job says.

    machine_collect.py

A service beside `machine.py` until a SIGTERM. Standard library alone (Python 3.10 or newer), beside machine_calls.py in
/opt/sonarstack. Figures go to the Logs Ingestion API, minute by minute; the container's output to the append blob
job.log beside the run. What it holds is bounded, whoever does not answer.

Source: Logs Ingestion API; Blob REST API (Append Block: 50,000 blocks, append position); read 2026-11.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.azure.machine_calls import CallError, Cloud, ask, opened, pause, say
else:  # beside it on the machine, and no package
    from machine_calls import CallError, Cloud, ask, opened, pause, say

MONITOR = "https://monitor.azure.com/"
INGESTION_API = "2023-01-01"
PROGRAM_S = 15.0
TICK_S, GPU_EVERY_S = 1.0, 60.0
LOG_EVERY_S, LOG_SLOWER_S, QUICK_S = 5.0, 15.0, 3600.0
"""After the first hour more rarely: an append blob has at most 50,000 blocks, and a week is to fit."""
PART_BYTES, ROWS = 2**20, 600
"""What is held while nobody takes it: more output waits in Docker, older figures are dropped."""
ENDS_WITHIN_S = 30.0
FIGURES = "index,utilization.gpu,memory.used,power.draw,temperature.gpu"


def said_by(words: list[str]) -> str | None:
    """What a program printed; None where it failed, hangs or is not there."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=PROGRAM_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


class Gpus:
    """What the GPUs do, minute by minute, as rows of the stream."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.next = cloud, 0.0
        self.rows: deque[dict[str, Any]] = deque(maxlen=ROWS)
        self.host = ""

    def tick(self, now: float) -> bool:
        """Look, and send what waits, if it is time; whether it was."""
        if not self.cloud.settings["gpuLog"] or now < self.next:
            return False
        self.next = now + pause(GPU_EVERY_S)
        self.host = self.host or self.cloud.name()
        told = said_by(["nvidia-smi", f"--query-gpu={FIGURES}", "--format=csv,noheader,nounits"])
        if told is None:
            raise CallError("nvidia-smi tells nothing")
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.rows.extend(gpu_row(line, self.host, moment) for line in told.splitlines() if line.strip())
        headers = {**self.cloud.bearer(MONITOR), "Content-Type": "application/json"}
        address = f"{self.cloud.settings['gpuLog']}?api-version={INGESTION_API}"
        try:
            ask("POST", address, headers, json.dumps(list(self.rows)).encode(), good=(200, 202, 204))
        except CallError as error:
            if error.status in (400, 413):
                self.rows.clear()  # these it will never take
            raise
        self.rows.clear()
        return True


def gpu_row(line: str, host: str, moment: str) -> dict[str, Any]:
    """A line of nvidia-smi as a row; what a GPU does not tell ([N/A]) is null."""
    index, *figures = (word.strip() for word in line.split(","))
    names = ("BusyPercent", "MemoryMib", "PowerW", "TemperatureC")
    told = {name: _number(figure) for name, figure in zip(names, figures, strict=True)}
    return {"TimeGenerated": moment, "Host": host, "Gpu": index, **told}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class JobLog:
    """What the container says, appended to the blob job.log beside the run; every try of a job adds to it.

    What was appended is written down, so that a collector that starts anew goes on there: a crash between the two
    doubles at most one part.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.mark = Path(cloud.settings["folder"]) / "collected.json"
        self.container, self.bytes, self.over = "", 0, False
        if self.mark.exists():
            told = json.loads(self.mark.read_text())
            self.container, self.bytes = str(told["container"]), int(told["bytes"])
        self.process: subprocess.Popen[bytes] | None = None
        self.skip, self.waiting = 0, bytearray()
        self.length: int | None = None
        self.started = self.sent = time.monotonic()

    def tick(self, now: float, *, last: bool = False) -> bool:
        """Read what there is, and append it if it is time; whether it was."""
        at_end = self.read()
        every = LOG_EVERY_S if now - self.started < QUICK_S else LOG_SLOWER_S
        due = at_end or last or len(self.waiting) >= PART_BYTES or now - self.sent >= pause(every)
        if not self.waiting or not due:
            return False
        self.sent = now
        self.append(bytes(self.waiting))
        self.bytes += len(self.waiting)
        self.waiting.clear()
        self.mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.mark.with_suffix(".part")
        part.write_text(json.dumps({"container": self.container, "bytes": self.bytes}))
        part.replace(self.mark)
        return True

    def read(self) -> bool:
        """Take from Docker what fits; whether its output has ended."""
        if self.process is None and not self.follow():
            return False
        assert self.process is not None
        assert self.process.stdout is not None
        while len(self.waiting) < PART_BYTES:
            try:
                part = os.read(self.process.stdout.fileno(), 65536)
            except BlockingIOError:
                return False
            if not part:
                self.process.stdout.close()
                self.process.wait(PROGRAM_S)
                self.process = None
                return True
            passed = min(self.skip, len(part))
            self.skip -= passed
            self.waiting += part[passed:]
        return False

    def follow(self) -> bool:
        """Whether there is output to come: of a container that runs, or that ended and was not read to its end."""
        if self.waiting:
            return False  # the rest of the one before goes first
        told = said_by(["docker", "inspect", "--format", "{{.Id}} {{.State.Running}}", "sonarstack"])
        name, _, running = (told or "").strip().partition(" ")
        if not name or (name == self.container and self.over):
            return False
        if name != self.container:
            self.container, self.bytes = name, 0
        self.over, self.skip = running == "false", self.bytes
        # Both of its outputs, in their order; it ends when the container does.
        self.process = subprocess.Popen(
            ["docker", "logs", "--follow", "sonarstack"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        return True

    def append(self, part: bytes) -> None:
        """Add to the blob, once: what a lost answer leaves unknown is looked up."""
        address = self.cloud.blob("job.log")
        if self.length is None:
            self.length = self.bytes_there(address)
        headers = self.cloud.storage(**{"x-ms-blob-condition-appendpos": str(self.length)})
        if ask("PUT", f"{address}?comp=appendblock", headers, part, good=(201, 412)).status == 412:
            before, self.length = self.length, self.bytes_there(address)
            if self.length != before + len(part):
                raise CallError("job.log has grown by somebody else; its end is looked up")
            return
        self.length += len(part)

    def bytes_there(self, address: str) -> int:
        """Bytes that it has; made if it is not there."""
        answer = ask("HEAD", address, self.cloud.storage(), good=(200, 404))
        if answer.status == 200:
            return int(answer.header("Content-Length"))
        headers = self.cloud.storage(**{"x-ms-blob-type": "AppendBlob", "If-None-Match": "*"})
        ask("PUT", address, headers, b"", good=(201,))
        return 0

    def close(self) -> None:
        """Leave the container's output to the next collector."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PROGRAM_S)


def collect(cloud: Cloud) -> None:
    """GPU figures and the container's output, until a SIGTERM; then what the container has still said."""
    asked = False

    def told(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, told)
    gpus, log = Gpus(cloud), JobLog(cloud)
    faults: dict[str, str] = {}
    until = None
    while until is None or time.monotonic() < until:
        if asked and until is None:
            until = time.monotonic() + pause(ENDS_WITHIN_S)
        for name, tick in (("GPU figures", gpus.tick), ("job.log", lambda now: log.tick(now, last=asked))):
            try:
                if tick(time.monotonic()):
                    faults.pop(name, None)
            except (CallError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                text = str(error) if isinstance(error, CallError) else type(error).__name__
                if faults.get(name) != text:  # once, however long it lasts
                    say(f"{name}: {text}")
                faults[name] = text
        if until is not None and log.process is None and not log.waiting:
            break
        time.sleep(pause(TICK_S))
    log.close()


if __name__ == "__main__":
    collect(opened())
    sys.exit(0)
