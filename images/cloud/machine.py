"""What a rented machine does besides its job: it lets its owner in by SSH, and it ends itself.

One file of the standard library (Python 3.10 or newer): our image has it as a program, a stock image gets its text as
the start command. Its variables are the machine's, not the job's: SONARSTACK_MACHINE_*. Lines on standard output are
the provider's log.
"""

import json
import math
import os
import shutil
import signal
import socket
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
RETRY_AT_MOST_S = 600.0
LOOK_AGAIN_S = 60.0
FETCHED_S = 180.0
"""After its job's end, for whoever fetches the run and gives a sign of that now and then."""
HOLDS_NO_MORE_S = 10.0
"""A job that was told to stop and whose lease is long over gets no more than this."""
WARNS_S = 300.0
GPU_LIST_S, GPU_PROBE_S, INSTALL_S = 30.0, 180.0, 600.0
PROBE = """
import sys, torch
found, wanted = torch.cuda.device_count(), int(sys.argv[1])
if found < wanted: sys.exit(f"torch {torch.__version__} sees {found} of {wanted} GPUs")
for number in range(found): torch.zeros(1, device=f"cuda:{number}").add_(1).item()
"""


def say(text):
    # One write: lines of processes and threads that speak at once must not run into one another.
    sys.stdout.write(f"{LINE} {text}\n")
    sys.stdout.flush()


class Machine:
    """All that it was told, read once, and what its job's folder says of the job."""

    def __init__(self, variables):
        get = variables.get
        self.lease_until = float(get("SONARSTACK_MACHINE_LEASE_UNTIL") or "inf")
        self.start_within_s = 60 * float(get("SONARSTACK_MACHINE_START_MINUTES") or "60")
        self.linger_s = 60 * float(get("SONARSTACK_MACHINE_LINGER_MINUTES") or "2")
        # After the lease the job has so long for its checkpoint.
        self.hard_stop_s = float(get("SONARSTACK_MACHINE_HARD_STOP_SECONDS") or "300")
        self.job = Path(get("SONARSTACK_MACHINE_JOB") or "/workspace/job")
        self.runs = get("SONARSTACK_MACHINE_RUNS") or str(self.job.parent)
        self.workspace = get("SONARSTACK_MACHINE_WORKSPACE") or self.runs
        self.keys = get("SONARSTACK_MACHINE_KEYS") or get("PUBLIC_KEY") or ""
        self.address = get("SONARSTACK_MACHINE_SSH_ADDRESS") or ""
        self.port = int(get("SONARSTACK_MACHINE_SSH_PORT") or (22 if os.getuid() == 0 else 2222))
        self.private = Path(get("SONARSTACK_MACHINE_PRIVATE") or "/tmp/sonarstack-machine")  # noqa: S108
        self.gpus = int(get("SONARSTACK_MACHINE_GPUS") or "0")
        self.expose = get("SONARSTACK_MACHINE_EXPOSE") == "1"
        self.python = get("SONARSTACK_MACHINE_PYTHON") or ""
        self.api = get("RUNPOD_REST_V2_API_URL") or "https://api.runpod.io/v2"
        self.pod = get("RUNPOD_POD_ID") or ""
        self.key = get("RUNPOD_API_KEY") or ""
        # The job's folder may lie on a volume that outlives this machine. The name noted there tells whose job it was;
        # the clock of whoever serves the volume is never compared with ours.
        self.name = self.pod or socket.gethostname()
        self.restarted = self.noted() == self.name
        self.code_at_birth = self._code_file()
        self.ended_s = self.idle_s = None
        self.fetch_sign, self.fetched_s = self._sign(), -math.inf

    def noted(self):
        """The machine that the job in the folder belonged to; None if it never ran on one."""
        try:
            return (self.job / "machine").read_text().strip()
        except OSError:
            return None

    def note(self):
        """Write down that the job is this machine's: only so a restart of it is told from a new one."""
        if self.noted() == self.name:
            return
        try:
            (self.job / "machine.part").write_text(self.name + "\n")
            (self.job / "machine.part").replace(self.job / "machine")
        except OSError as error:
            say(
                f"the job's folder cannot be written to ({error.strerror}): a restart will not take it up again"
            )

    def exit_code(self):
        """The job's, once it has ended; None before, and for a job of an earlier machine."""
        found = self._code_file()
        if found is None or (found == self.code_at_birth and not self.restarted):
            return None
        try:
            return int((self.job / "exit_code").read_text())
        except (OSError, ValueError):
            return None

    def processes(self):
        """Wrapper and job, those that live. A number counts only with the time its process began: numbers return."""
        try:
            wrapper, child, *began = (self.job / "pid").read_text().split()
        except (OSError, ValueError):
            return []
        pairs = zip((wrapper, child), began, strict=False)
        return [int(pid) for pid, mark in pairs if mark == began_at(pid)]

    def why_end(self, now):
        """The reason why this machine should be no more, as a sentence; None while it should live."""
        if now >= self.lease_until:
            return "its lease is over"
        code = self.exit_code()
        if code is not None:
            self.note()
            self.ended_s = now if self.ended_s is None else self.ended_s
            if (self.job / "released").exists():
                return "the job has ended and its run is safe"
            stays_until = max(self.ended_s + self.linger_s, self._last_fetched(now) + FETCHED_S)
            return f"the job has ended with code {code}" if now >= stays_until else None
        self.ended_s = None
        if self.processes():
            self.note()
            self.idle_s = None
            return None
        self.idle_s = now if self.idle_s is None else self.idle_s
        if now >= self.idle_s + self.start_within_s:
            what = "the job is gone and none" if self.noted() == self.name else "no job"
            return f"{what} began within {self.start_within_s / 60:g} minutes"
        return None

    def _last_fetched(self, now):
        """When a sign of a fetch was last seen to be another one, by this machine's clock."""
        sign = self._sign()
        if sign != self.fetch_sign:
            self.fetch_sign, self.fetched_s = sign, now
        return self.fetched_s

    def _sign(self):
        try:
            return (self.job / "fetching").stat().st_mtime_ns
        except OSError:
            return None

    def _code_file(self):
        """What tells one exit_code from another; None if there is none."""
        try:
            found = (self.job / "exit_code").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def began_at(pid):
    """Field 22 of /proc/PID/stat, as infra/jobs/shell.py writes it; None for a process that is no more."""
    try:
        fields = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return fields[19] if fields[0] != "Z" else None


def ask_provider(machine, method):
    request = urllib.request.Request(  # noqa: S310 the provider's address
        f"{machine.api}/pods/{machine.pod}",
        method=method,
        headers={"Authorization": f"Bearer {machine.key}"},
    )
    return urllib.request.urlopen(request, timeout=30)  # noqa: S310


def end_machine(machine):
    """Ask the provider to end this machine; True if it said yes. Asked again until the machine is gone."""
    if not machine.pod:
        return False
    try:
        with ask_provider(machine, "DELETE"):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return True
        say(f"the provider refuses to end this pod (HTTP {error.code})")
    except OSError as error:
        say(f"the provider cannot be asked to end this pod ({type(error).__name__})")
    return False


def tell_key(machine):
    """Whether the pod's own key may ask for the pod at all: harmless, and told before it matters."""
    try:
        with ask_provider(machine, "GET") as answer:
            accepted = json.load(answer).get("id") == machine.pod
    except (OSError, ValueError):
        accepted = False
    say(f"the pod's own key is {'accepted' if accepted else 'refused'} by the provider")


def tell_gpus(machine):
    """Which GPUs answer, and whether a program can use them; a broken driver may hang, so every question is bounded."""
    if machine.gpus == 0 and shutil.which("nvidia-smi") is None:
        return
    code, text = bounded(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], GPU_LIST_S)
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if code != 0 or not names or "No devices" in names[0]:
        why = first_reason(text) or "nvidia-smi names none"
        say(f"GPUs: none ({why})")
        names = []
    else:
        say(f"GPUs: {'; '.join(names)}")
    if machine.gpus == 0:
        return
    if len(names) < machine.gpus:
        say(f"GPU check: failed ({len(names)} of {machine.gpus} GPUs answer)")
        return
    python = module_python("torch", machine)
    if python is None:
        say("GPU check: not tried (no torch)")
        return
    code, text = bounded([python, "-c", PROBE, str(machine.gpus)], GPU_PROBE_S)
    say("GPU check: ok" if code == 0 else f"GPU check: failed ({first_reason(text) or f'code {code}'})")


def bounded(words, seconds):
    """Exit code (None if it did not end) and output of a program; one that cannot be killed is left behind."""
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return None, f"{words[0]} {'is not installed' if missing else f'cannot be run: {error.strerror}'}"
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return None, f"{words[0]} gave no answer within {seconds:g} s"
    return process.returncode, text


def first_reason(text):
    """The line that says why, of a program's output or of a traceback."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "Traceback"))]
    return lines[0].strip()[:200] if lines else ""


class Asides:
    """Functions that run in processes of their own, so that nothing here waits for them."""

    def __init__(self):
        self.running = {}

    def start(self, work, machine):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            work(machine)
            sys.exit(0)
        self.running[work] = pid

    def look(self):
        """Take leave of those that have ended."""
        for work, pid in list(self.running.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self.running[work]

    def stop(self):
        self.look()
        for pid in self.running.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def hard_stop(machine):
    """Knows nothing but the clock: it ends the machine should all else hang."""
    while time.time() < machine.lease_until + machine.hard_stop_s:
        time.sleep(min(RETRY_S, max(0.1, machine.lease_until + machine.hard_stop_s - time.time())))
    while True:
        say("hard stop: the lease is over and this machine still lives")
        end_machine(machine)
        time.sleep(RETRY_S)


def find_sshd():
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


class Tools:
    """What SSH needs and a stock image may lack: its own package manager brings it while all else goes on."""

    def __init__(self, machine):
        here = {"openssh-server": find_sshd(), "rsync": shutil.which("rsync")}
        self.missing = (
            [name for name, program in here.items() if program is None] if machine.keys.strip() else []
        )
        self.process = None
        if not self.missing:
            return
        if os.getuid() != 0 or shutil.which("apt-get") is None:
            say(f"{' and '.join(self.missing)} missing; use an image that has them")
            return
        say(f"{' and '.join(self.missing)} missing; apt-get brings them")
        machine.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log, self.until = machine.private / "apt-get.log", time.time() + INSTALL_S
        calm = "-q -y -o Acquire::Retries=3 -o Acquire::http::Timeout=30"
        words = f"apt-get {calm} update && apt-get {calm} install --no-install-recommends {' '.join(self.missing)}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, start_new_session=True,
            )  # fmt: skip

    def busy(self):
        """Whether it is still at work; says once how it ended."""
        if self.process is None:
            return False
        code = self.process.poll()
        if code is None and time.time() < self.until:
            return True
        if code is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        self.process = None
        lines = self.log.read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")[:200]
        what = " and ".join(self.missing)
        say(f"{what} installed" if code == 0 else f"{what} cannot be installed (code {code}): {last}")
        return False


def sshd_command(machine):
    """Keys only, a host key of its own, told on standard output so that the other side can pin it."""
    program = find_sshd()
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
        **({"ListenAddress": machine.address} if machine.address else {}),
    }
    say(f"host key {(host_key.with_suffix('.pub')).read_text().rsplit(' ', 1)[0].strip()}")
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [program, "-D", "-e", "-f", "/dev/null", "-p", str(machine.port), *words]


def board_command(machine, python):
    """TensorBoard for whoever comes through SSH; loopback only."""
    return [python, "-m", "tensorboard.main", "--logdir", machine.runs, "--host", "127.0.0.1", "--port", "6006",
            "--load_fast=false"]  # fmt: skip


def notebook_command(machine, python):
    """Jupyter likewise, or on all addresses where that is asked for; behind its token either way."""
    address = "0.0.0.0" if machine.expose else "127.0.0.1"  # noqa: S104 asked for by name
    return [python, "-m", "jupyterlab", "--no-browser", f"--ip={address}", "--port=8888", "--port-retries=0",
            f"--ServerApp.root_dir={machine.workspace}", *(["--allow-root"] if os.getuid() == 0 else [])]  # fmt: skip


def notebook_variables(machine):
    """Where the token lies: one file that only its owner can read, and that is read over SSH."""
    token = machine.private / "jupyter_token"
    if not token.exists():
        machine.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(os.urandom(24).hex())
    # Jupyter writes its address with the token into its runtime folder.
    return {"JUPYTER_TOKEN_FILE": str(token), "JUPYTER_RUNTIME_DIR": str(machine.private / "jupyter")}


class Services:
    """Processes that are started again when they end, less and less often."""

    def __init__(self):
        self.running = {}
        self.next_start = {}
        self.pause_s = {}

    def keep(self, name, command, **variables):
        process = self.running.get(name)
        if command is None or (process is not None and process.poll() is None):
            return
        if time.time() < self.next_start.get(name, 0.0):
            return
        if process is not None:
            say(f"{name} ended with code {process.returncode} and is started again")
        kept = {k: v for k, v in os.environ.items() if k != "JUPYTER_TOKEN"}
        self.running[name] = subprocess.Popen(
            command, env={**kept, **variables}, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.pause_s[name] = min(2 * self.pause_s.get(name, RETRY_S / 2), RETRY_AT_MOST_S)
        self.next_start[name] = time.time() + self.pause_s[name]

    def stop(self):
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()


class Boards:
    """TensorBoard and Jupyter: served by the first interpreter that has them, which may come later."""

    def __init__(self):
        self.pythons = {}
        self.next_look = 0.0

    def keep(self, machine, services):
        if len(self.pythons) < 2 and time.time() >= self.next_look:
            for module in ("tensorboard", "jupyterlab"):
                python = None if module in self.pythons else module_python(module, machine)
                if python:
                    self.pythons[module] = python
            self.next_look = time.time() + LOOK_AGAIN_S
        if "tensorboard" in self.pythons:
            services.keep("tensorboard", board_command(machine, self.pythons["tensorboard"]))
        if "jupyterlab" in self.pythons:
            command = notebook_command(machine, self.pythons["jupyterlab"])
            services.keep("jupyter", command, **notebook_variables(machine))


def module_python(module, machine):
    """An interpreter here that has the module; None if there is none."""
    on_path = [shutil.which(name) for name in ("python3", "python")]
    looks = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    for python in dict.fromkeys((machine.python, sys.executable, *on_path, "/opt/venv/bin/python")):
        if python and Path(python).exists() and bounded([python, "-c", looks], GPU_LIST_S)[0] == 0:
            return python
    return None


def stop_job(machine):
    """Ask the job for its checkpoint, and wait for its end as long as the hard stop allows."""
    living = machine.processes()
    if not living:
        return
    # The last is the job itself; the wrapper writes its code down.
    os.kill(living[-1], signal.SIGTERM)
    until = max(
        time.time() + HOLDS_NO_MORE_S, min(machine.lease_until, time.time()) + machine.hard_stop_s * 0.8
    )
    while machine.exit_code() is None and time.time() < until:
        time.sleep(0.2)


def start_again(machine):
    """After the provider restarted this container: the job that was running goes on from its checkpoint."""
    again = machine.job / "again"
    unfinished = (machine.job / "started").exists() and not (machine.job / "exit_code").exists()
    # The job of an earlier machine is its owner's to start: code and data may be on their way.
    if not machine.restarted or not unfinished or machine.processes() or not again.exists():
        return
    say("the container was restarted; the job is taken up again")
    shutil.rmtree(machine.job / "started", ignore_errors=True)
    (machine.job / "pid").unlink(missing_ok=True)
    code, text = bounded(["sh", str(again)], RETRY_S)
    if code != 0:
        say(f"the job cannot be taken up again: {first_reason(text) or f'code {code}'}")


def warn(machine, now, warned):
    """One line when the lease is nearly over."""
    left_s = machine.lease_until - now
    if warned or left_s > WARNS_S:
        return warned
    minutes = max(1, math.ceil(left_s / 60))
    say(
        f"ends in {minutes} minute{'s' if minutes > 1 else ''}: its lease runs out, and the job is told to stop"
    )
    return True


def main():
    machine = Machine(os.environ)
    # Nothing that is started here gets the provider's key.
    os.environ.pop("RUNPOD_API_KEY", None)
    asked, warned, sshd, sshd_known = [], False, None, False
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda number, _: asked.append(number))
    asides, services, boards = Asides(), Services(), Boards()
    # First of all the switch, then all that can fail.
    leased = machine.lease_until < float("inf")
    if leased:
        asides.start(hard_stop, machine)
    say(f"lease until {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(machine.lease_until))}"
        if leased else "no lease: this machine lives until somebody ends it")  # fmt: skip
    if machine.pod:
        asides.start(tell_key, machine)
    asides.start(tell_gpus, machine)
    start_again(machine)
    tools = Tools(machine)
    why = machine.why_end(time.time())
    while why is None and not asked:
        installing = tools.busy()
        if not sshd_known and not (installing and "openssh-server" in tools.missing):
            sshd, sshd_known = sshd_command(machine), True
        services.keep("sshd", sshd)
        boards.keep(machine, services)
        asides.look()
        if leased and hard_stop not in asides.running:
            asides.start(hard_stop, machine)
        reap({*asides.running.values(), *(p.pid for p in (*services.running.values(), tools.process) if p)})
        warned = warn(machine, time.time(), warned)
        time.sleep(TICK_S)
        why = machine.why_end(time.time())
    if asked:
        stop_job(machine)
        leave(services, asides)
        return 128 + asked[0]
    say(f"ends: {why}")
    stop_job(machine)
    if not machine.pod:
        leave(services, asides)
        return machine.exit_code() or 0
    # A pod whose container ends is started again and bills on: stay and ask until it is gone.
    while not asked:
        if end_machine(machine):
            say("the provider was asked to end this pod")
        time.sleep(RETRY_S)
    return 128 + asked[0]


def leave(services, asides):
    """End what was started here."""
    services.stop()
    asides.stop()


def reap(ours):
    """Process 1 inherits what others leave behind; what is ours is left to its owner."""
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
