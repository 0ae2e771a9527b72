"""python -m infra.runpod.simulator: Runpod on loopback until Ctrl-C; its pods are processes or containers here."""

import argparse
import importlib
import signal
import sys
import threading
from pathlib import Path

from infra.errors import DockerError
from infra.runpod.simulator.assumptions import listing
from infra.runpod.simulator.pod_kinds import choose_pods
from infra.runpod.simulator.run import serving
from infra.runpod.simulator.settings import Settings


def say(text: str) -> None:
    sys.stdout.write(f"SIMULATED {text}\n")
    sys.stdout.flush()


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.runpod.simulator", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("runpod-simulated"), help="state, pods and volumes"
    )
    parser.add_argument("--port", type=int, default=0, help="on loopback; 0 takes a free one")
    parser.add_argument("--key", action="append", default=[], help="of the account; made where none is given")
    parser.add_argument(
        "--allowed", type=Path, help="mount paths of processes must lie in it (default FOLDER/paths)"
    )
    parser.add_argument("--pods", choices=("auto", "process", "container"), default="auto",
                        help="what pods are; auto: containers where Docker answers")  # fmt: skip
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per second")
    parser.add_argument("--provision-s", type=float, default=0.3, help="simulated seconds in PROVISIONING")
    parser.add_argument("--start-s", type=float, default=0.3, help="simulated seconds in STARTING")
    parser.add_argument("--grace-s", type=float, default=5.0, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--image-command", action="append", default=[], metavar="IMAGE=WORDS",
                        help="what an image runs where a pod has no args")  # fmt: skip
    parser.add_argument("--pod-keys", choices=("accepted", "refused"), default="accepted",
                        help="whether a pod's own key may look at and end its pod")  # fmt: skip
    parser.add_argument("--moving", action="store_true", help="stock and prices drift")
    parser.add_argument("--seed", type=int, default=0, help="of the drift")
    parser.add_argument("--balance", type=float, help="dollars of the account; none is without end")
    parser.add_argument("--rate-limit", type=int, help="requests a minute of a key; none is without limit")
    parser.add_argument(
        "--assumptions", action="store_true", help="list what goes beyond the contract, and end"
    )
    return parser


def main() -> int:
    told = options().parse_args()
    if told.assumptions:
        importlib.import_module("infra.runpod.simulator.containers")  # what it follows is listed too
        sys.stdout.write("".join(f"SIMULATED {line}\n" for line in listing()))
        return 0
    try:
        chosen = choose_pods(told.pods)
    except DockerError as error:
        sys.stderr.write(f"SIMULATED error: --pods {told.pods}: {error}\n")
        return 1
    folder = told.folder.absolute()
    settings = Settings(
        folder=folder,
        allowed=(told.allowed or folder / "paths").absolute(),
        speed=told.speed,
        provision_s=told.provision_s,
        start_s=told.start_s,
        grace_s=told.grace_s,
        pods=chosen.kind,
        image_commands=dict(one.partition("=")[::2] for one in told.image_command),
        pod_keys=told.pod_keys == "accepted",
        seed=told.seed,
        moving=told.moving,
        balance_usd=told.balance,
        requests_per_minute=told.rate_limit,
    )
    leave = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: leave.set())
    try:
        with serving(settings, keys=tuple(told.key), port=told.port) as simulator:
            exports = " ".join(f"{name}={value}" for name, value in simulator.variables().items())
            say(f"Runpod at {simulator.address}; export {exports}")
            say(chosen.line())
            leave.wait()
    except (OSError, ValueError, DockerError) as error:
        sys.stderr.write(f"SIMULATED error: {error}\n")
        return 1
    say("Runpod has ended, and its pods' programs with it; its account stays in " + str(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
