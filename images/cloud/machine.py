"""What a rented machine does besides its job: it lets its owner in by SSH, and it ends itself.

One file of the standard library: our image has it as a program, a stock image gets its text as the start command. Its
variables are the machine's, not the job's: SONARSTACK_MACHINE_*. Lines on standard output are the provider's log.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LINE = "sonarstack machine:"
"""Before every line of ours, so that others can find them in the log."""
TICK_S = 2.0
RETRY_S = 30.0
HOLDS_NO_MORE_S = 10.0
"""A job that was told to stop and whose lease is long over gets no more than this."""


def say(text):
    print(f"{LINE} {text}", flush=True)


class Machine:
    """All that it was told, read once."""

    def __init__(self, variables):
        get = variables.get
        self.lease_until = float(get("SONARSTACK_MACHINE_LEASE_UNTIL") or "inf")
        self.start_within_s = 60 * float(get("SONARSTACK_MACHINE_START_MINUTES") or "60")
        self.linger_s = 60 * float(get("SONARSTACK_MACHINE_LINGER_MINUTES") or "2")
        # After the lease the job has so long for its checkpoint.
        self.hard_stop_s = float(get("SONARSTACK_MACHINE_HARD_STOP_SECONDS") or "300")
        self.job = Path(get("SONARSTACK_MACHINE_JOB") or "/workspace/job")
        self.runs = get("SONARSTACK_MACHINE_RUNS") or str(self.job.parent)
        self.keys = get("SONARSTACK_MACHINE_KEYS") or get("PUBLIC_KEY") or ""
        self.port = int(get("SONARSTACK_MACHINE_SSH_PORT") or (22 if os.getuid() == 0 else 2222))
        self.private = Path(get("SONARSTACK_MACHINE_PRIVATE") or "/tmp/sonarstack-machine")  # noqa: S108
        self.api = get("RUNPOD_REST_V2_API_URL") or "https://api.runpod.io/v2"
        self.pod = get("RUNPOD_POD_ID") or ""
        self.key = get("RUNPOD_API_KEY") or ""

    def exit_code(self):
        """The job's, once it has ended; None before."""
        try:
            return int((self.job / "exit_code").read_text())
        except (OSError, ValueError):
            return None

    def why_end(self, now, born):
        """The reason why this machine should be no more, as a sentence; None while it should live."""
        if now >= self.lease_until:
            return "its lease is over"
        ended = self._ended_at()
        if ended is not None:
            if (self.job / "released").exists():
                return "the job has ended and its run is safe"
            if now >= ended + self.linger_s:
                return f"the job has ended with code {self.exit_code()}"
            return None
        if not (self.job / "started").exists() and now >= born + self.start_within_s:
            return f"no job began within {self.start_within_s / 60:g} minutes"
        return None

    def _ended_at(self):
        try:
            return (self.job / "exit_code").stat().st_mtime
        except OSError:
            return None


def end_machine(machine):
    """Ask the provider to end this machine; True if it said yes. Asked again until the machine is gone."""
    if not machine.pod:
        return False
    request = urllib.request.Request(  # noqa: S310 the provider's address
        f"{machine.api}/pods/{machine.pod}",
        method="DELETE",
        headers={"Authorization": f"Bearer {machine.key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return True
        say(f"the provider refuses to end this pod (HTTP {error.code})")
    except OSError as error:
        say(f"the provider cannot be asked to end this pod ({type(error).__name__})")
    return False


def key_is_accepted(machine):
    """Whether the pod's own key may ask for the pod at all: harmless, and told before it matters."""
    if not machine.pod:
        return False
    request = urllib.request.Request(  # noqa: S310
        f"{machine.api}/pods/{machine.pod}", headers={"Authorization": f"Bearer {machine.key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer).get("id") == machine.pod
    except (OSError, ValueError):
        return False


def hard_stop(machine):
    """A process of its own that knows nothing but the clock: it ends the machine should all else hang."""
    if machine.lease_until == float("inf"):
        return None
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while time.time() < machine.lease_until + machine.hard_stop_s:
        time.sleep(min(RETRY_S, max(0.1, machine.lease_until + machine.hard_stop_s - time.time())))
    while True:
        say("hard stop: the lease is over and this machine still lives")
        end_machine(machine)
        time.sleep(RETRY_S)


def sshd_command(machine):
    """Keys only, a host key of its own, told on standard output so that the other side can pin it."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or not machine.keys.strip():
        say("no SSH: " + ("sshd is not installed" if program is None else "no public key was given"))
        return None
    machine.private.mkdir(mode=0o700, parents=True, exist_ok=True)
    host_key = machine.private / "host_key"
    if not host_key.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sonarstack", "-f", host_key],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    (machine.private / "authorized_keys").write_text(machine.keys.strip() + "\n")
    (machine.private / "authorized_keys").chmod(0o600)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
    options = {
        "HostKey": host_key,
        "AuthorizedKeysFile": machine.private / "authorized_keys",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "UsePAM": "no",
        "StrictModes": "no",  # the folders above are the provider's
        "AllowTcpForwarding": "local",
        "X11Forwarding": "no",
        "PrintMotd": "no",
        "ClientAliveInterval": "30",
        "Subsystem": "sftp internal-sftp",
    }
    say(f"host key {(host_key.with_suffix('.pub')).read_text().rsplit(' ', 1)[0].strip()}")
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [program, "-D", "-e", "-f", "/dev/null", "-p", str(machine.port), *words]


def board_command(machine, python):
    """TensorBoard for whoever comes through SSH; loopback only."""
    return [python, "-m", "tensorboard.main", "--logdir", machine.runs, "--host", "127.0.0.1", "--port", "6006",
            "--load_fast=false"]  # fmt: skip


def notebook_command(machine, python):
    """Jupyter likewise; its token lies in a file that only the owner can read."""
    token = machine.private / "jupyter_token"
    if not token.exists():
        machine.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(os.urandom(24).hex())
    return [python, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=8888", "--port-retries=0",
            f"--ServerApp.root_dir={machine.runs}", *(["--allow-root"] if os.getuid() == 0 else [])]  # fmt: skip


class Services:
    """Processes that are started again when they end, less and less often."""

    def __init__(self):
        self.running = {}
        self.next_start = {}

    def keep(self, name, command, **variables):
        process = self.running.get(name)
        if command is None or (process is not None and process.poll() is None):
            return
        if time.time() < self.next_start.get(name, 0.0):
            return
        if process is not None:
            say(f"{name} ended with code {process.returncode} and is started again")
        # None of them gets the provider's key.
        kept = {k: v for k, v in os.environ.items() if k != "RUNPOD_API_KEY"}
        self.running[name] = subprocess.Popen(
            command, env={**kept, **variables}, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.next_start[name] = time.time() + RETRY_S

    def stop(self):
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()


def module_python(module):
    """An interpreter here that has the module; None if there is none."""
    for python in (sys.executable, "/opt/venv/bin/python"):
        if Path(python).exists() and subprocess.run(
            [python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        ).returncode == 0:  # fmt: skip
            return python
    return None


def stop_job(machine):
    """Ask the job for its checkpoint, and wait for its end as long as the hard stop allows."""
    try:
        child = int((machine.job / "pid").read_text().split()[1])
        os.kill(child, signal.SIGTERM)
    except (OSError, ValueError, IndexError):
        return
    until = max(
        time.time() + HOLDS_NO_MORE_S, min(machine.lease_until, time.time()) + machine.hard_stop_s * 0.8
    )
    while machine.exit_code() is None and time.time() < until:
        time.sleep(0.2)


def start_again(machine):
    """After the provider restarted this container: the job that was running goes on from its checkpoint."""
    again = machine.job / "again"
    if machine.exit_code() is not None or not (machine.job / "started").exists() or not again.exists():
        return
    say("the container was restarted; the job is taken up again")
    shutil.rmtree(machine.job / "started", ignore_errors=True)
    (machine.job / "pid").unlink(missing_ok=True)
    subprocess.run(["sh", str(again)], check=False, stdin=subprocess.DEVNULL)


def main():
    machine = Machine(os.environ)
    born, asked = time.time(), []
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda number, _: asked.append(number))
    # First of all the switch, then all that can fail.
    watchdog = hard_stop(machine)
    say(f"lease until {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(machine.lease_until))}"
        if watchdog else "no lease: this machine lives until somebody ends it")  # fmt: skip
    if machine.pod:
        accepted = "accepted" if key_is_accepted(machine) else "refused"
        say(f"the pod's own key is {accepted} by the provider")
    services = Services()
    sshd = sshd_command(machine)
    start_again(machine)
    pythons = {name: module_python(name) for name in ("tensorboard", "jupyterlab")}
    why = None
    while why is None and not asked:
        services.keep("sshd", sshd)
        if pythons["tensorboard"]:
            services.keep("tensorboard", board_command(machine, pythons["tensorboard"]))
        if pythons["jupyterlab"]:
            command = notebook_command(machine, pythons["jupyterlab"])
            # By the environment of one process and not by its words, which `ps` shows.
            services.keep("jupyter", command, JUPYTER_TOKEN=(machine.private / "jupyter_token").read_text())
        reap(services)
        time.sleep(TICK_S)
        why = machine.why_end(time.time(), born)
    if asked:
        stop_job(machine)
        leave(services, watchdog)
        return 128 + asked[0]
    say(f"ends: {why}")
    stop_job(machine)
    if not machine.pod:
        leave(services, watchdog)
        return machine.exit_code() or 0
    # A pod whose container ends is started again and bills on: stay and ask until it is gone.
    while not asked:
        if end_machine(machine):
            say("the provider was asked to end this pod")
        time.sleep(RETRY_S)
    return 128 + asked[0]


def leave(services, watchdog):
    """End what was started here."""
    services.stop()
    if watchdog:
        os.kill(watchdog, signal.SIGKILL)
        os.waitpid(watchdog, 0)


def reap(services):
    """Process 1 inherits what others leave behind; what is ours is left to its owner."""
    ours = {process.pid for process in services.running.values()}
    for process in Path("/proc").iterdir() if os.getpid() == 1 else ():
        name = process.name
        if not name.isdigit() or int(name) in ours:
            continue
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and fields[1] == "1":
                os.waitpid(int(name), os.WNOHANG)
        except (OSError, IndexError):
            continue


if __name__ == "__main__":
    sys.exit(main())
