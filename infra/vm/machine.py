"""A rented virtual machine's program: it runs one container, tells how it went, and ends the machine.

One file of the standard library (Python 3.10 or newer), started by cloud-init as a systemd unit on an image that has
Docker. What is the cloud's own (signing in to the registry, keeping a note in the bucket, ending the group) comes as
commands in its orders, /etc/sonarstack/machine.json; infra/vm/orders.py writes them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

Done = subprocess.CompletedProcess[str]

ORDERS = Path(os.environ.get("SONARSTACK_ORDERS") or "/etc/sonarstack/machine.json")
STOP_ASKED = Path(os.environ.get("SONARSTACK_STOP_ASKED") or "/run/sonarstack/stop-asked")
"""The owner's word that the job shall stop for good. A SIGTERM without it is the cloud taking the machine away."""
INTERRUPTED = 83
COULD_NOT_START = 125
"""As Docker says it."""
TICK_S = 1.0
TRIES, RETRY_S = 5, 10.0
COMMAND_S, PULL_S = 120.0, 1800.0
LOG_LINES = 40


def pause(seconds: float) -> float:
    """Seconds to sleep; a test has no time."""
    return seconds * float(os.environ.get("SONARSTACK_PAUSES") or "1")


def say(text: str) -> None:
    """A line of the machine's own log."""
    sys.stdout.write(f"sonarstack machine: {text}\n")
    sys.stdout.flush()


class Machine:
    """Its orders, read once, and who it is."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.lease_until = float(orders["leaseUntil"])
        self.hard_stop_s = float(orders["hardStopSeconds"])
        self.name = self.identity()
        self.asked = False
        self.taken = False

    def identity(self) -> str:
        """What the cloud calls this machine."""
        done = run(self.orders["identity"], COMMAND_S)
        return done.stdout.strip() or "unknown" if done is not None and done.returncode == 0 else "unknown"

    def keep(self, name: str, note: dict[str, Any]) -> bool:
        """A note beside the run, where whoever asks for the job finds it."""
        text = json.dumps({"machine": self.name, "time": time.time(), **note})
        words = [word.replace("{name}", name.replace("{machine}", self.name)) for word in self.orders["keep"]]
        return tried(words, f"keep {name}", data=text)

    def end(self) -> None:
        """End whatever would rent this machine again, then the machine.

        Powering off before that would only rent another one; after the lease the cloud's own timer has ended the group.
        """
        while not all(tried(words, "end the group") for words in self.orders["end"]) and not self.over():
            time.sleep(pause(RETRY_S))
        self.power_off()

    def power_off(self) -> None:
        """The last command: off, where the cloud was told that such a machine is to be no more, or deleted there."""
        tried(self.orders["powerOff"], "power off")

    def over(self) -> bool:
        """Whether the lease is."""
        return time.time() >= self.lease_until


def run(words: Sequence[str], limit_s: float, data: str | None = None) -> Done | None:
    """The command as it ended; None where it did not, or is not there."""
    try:
        return subprocess.run(
            words, input=data, capture_output=True, text=True, errors="replace", timeout=limit_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"{words[0]}: {type(error).__name__}")
        return None


def tried(
    words: Sequence[str], what: str, limit_s: float = COMMAND_S, data: str | None = None, tries: int = TRIES
) -> bool:
    """Whether the command succeeded in the end; what it wrote is not repeated, since it may hold what is secret."""
    for number in range(tries):
        done = run(words, limit_s, data)
        if done is not None and done.returncode == 0:
            return True
        code = "no answer" if done is None else f"code {done.returncode}"
        say(f"cannot {what} ({code}), try {number + 1} of {tries}")
        if number + 1 < tries:
            time.sleep(pause(RETRY_S))
    return False


def guard(machine: Machine) -> None:
    """Knows nothing but the clock: ends the machine should all else hang. A process of its own."""
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    until = machine.lease_until + machine.hard_stop_s
    while time.time() < until:
        time.sleep(max(0.05, min(30.0, until - time.time())))
    while True:
        say("hard stop: the lease is over and this machine still lives")
        machine.end()
        time.sleep(pause(30.0))


def interruptions(machine: Machine) -> int:
    """How often a machine of this run was taken away; 0 where nobody can say."""
    done = (
        run(machine.orders["countInterruptions"], COMMAND_S) if machine.orders["countInterruptions"] else None
    )
    try:
        return int(done.stdout.strip() or 0) if done is not None and done.returncode == 0 else 0
    except ValueError:
        return 0


def variables(machine: Machine) -> dict[str, str]:
    """The job's, with the hours that are left of the lease."""
    hours = max(0.0, machine.lease_until - time.time()) / 3600
    return {**machine.orders["variables"], "SONARSTACK_MAX_HOURS": f"{hours:.6f}"}


def start(machine: Machine) -> tuple[subprocess.Popen[bytes] | None, str]:
    """The container, running; or None and why not."""
    if machine.orders["signIn"] and not tried(machine.orders["signIn"], "sign in to the registry"):
        return None, "the registry does not let this machine in"
    image = machine.orders["image"]
    if not tried(["docker", "pull", "--quiet", image], f"pull {image}", PULL_S, tries=3):
        return None, f"{image} cannot be pulled"
    settings = Path(machine.orders["folder"]) / "variables"
    settings.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.write_text("".join(f"{name}={value}\n" for name, value in variables(machine).items()))
    # A rerun of this program, after a reboot say, begins again from the newest checkpoint.
    run(["docker", "rm", "--force", "sonarstack"], COMMAND_S)
    words = [
        "docker",
        "run",
        "--name",
        "sonarstack",
        "--env-file",
        str(settings),
        *machine.orders["docker"],
        image,
    ]
    return subprocess.Popen([*words, *machine.orders["arguments"]], stdin=subprocess.DEVNULL), ""


def wait(machine: Machine, container: subprocess.Popen[bytes]) -> int:
    """The job's exit code; a signal, or the lease, asks it for its checkpoint first."""
    told_s = None
    while container.poll() is None:
        if told_s is None and (machine.asked or machine.over()):
            told_s = time.time()
            # `docker stop` kills after the grace; the job's own SIGTERM writes the checkpoint and uploads it.
            grace = str(int(machine.orders["graceSeconds"]))
            subprocess.Popen(["docker", "stop", "--time", grace, "sonarstack"], stdout=subprocess.DEVNULL)
        time.sleep(pause(TICK_S))
    return container.returncode


def last_lines() -> list[str]:
    """Of the job's output, for whoever asks why."""
    done = run(["docker", "logs", "--tail", str(LOG_LINES), "sonarstack"], COMMAND_S)
    return (done.stdout + done.stderr).splitlines()[-LOG_LINES:] if done is not None else []


def main() -> int:
    """From the first boot to the end of the machine."""
    machine = Machine(json.loads(ORDERS.read_text()))

    def told(_number: int, _frame: FrameType | None) -> None:
        machine.asked = True
        machine.taken = not STOP_ASKED.exists()

    signal.signal(signal.SIGTERM, told)
    # First of all the switch, then all that can fail.
    guard(machine)
    for words in machine.orders["prepare"]:
        tried(words, words[0], tries=1)
    if machine.over():
        say("the lease is over: this machine was rented after its end")
        machine.keep("late/{machine}.json", {"reason": "rented after the lease was over"})
        machine.end()
        return 0
    limit = machine.orders["onDemandAfter"]
    if limit is not None and interruptions(machine) >= limit:
        say(f"interrupted {limit} times or more: the next machine is rented on demand")
        tried(machine.orders["onDemand"], "change to on demand")
    container, why = start(machine)
    if container is None:
        machine.keep("outcome.json", {"code": COULD_NOT_START, "reason": why, "log": []})
        say(f"ends: {why}")
        machine.end()
        return 0
    machine.keep("started.json", {"image": machine.orders["image"]})
    code = wait(machine, container)
    say(f"the job has ended with code {code}")
    # 83 by a notice, or while the machine shuts down: the cloud takes this machine, and the next one goes on.
    if machine.taken or (code == INTERRUPTED and not machine.asked and not machine.over()):
        machine.keep("interruptions/{machine}.json", {"code": code})
        machine.power_off()
        return 0
    machine.keep("outcome.json", {"code": code, "reason": "", "log": last_lines()})
    machine.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
