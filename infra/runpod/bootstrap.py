"""How a pod of a stock image becomes ours: its start command is the program of our own cloud image, compressed.

The program itself is read as text, never imported: infra knows nothing of what runs there.
"""

import base64
import shlex
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from infra.errors import SettingsError

PROGRAM = Path(__file__).resolve().parents[2] / "images" / "cloud" / "machine.py"
CODE = (
    "import base64,zlib;"
    'exec(compile(zlib.decompress(base64.b64decode("{packed}")),"sonarstack-machine.py","exec"))'
)
"""Python, with double quotes only, so that a shell's single quotes go round it without a change."""


def start_command(text: str | None = None) -> str:
    """The pod's `args`: python3 and the program, as one line for a shell to split.

    It takes the place of the image's own command (docs.runpod.io: args is the container's CMD). That it is split as a
    shell would is an assumption.

    Args:
        text: the program; images/cloud/machine.py if None.

    Raises:
        SettingsError: the program does not lie beside this installation.
    """
    if text is None:
        try:
            text = PROGRAM.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise SettingsError(
                f"{PROGRAM} is not there; a stock image needs it: run from a checkout, or set an image of your own"
            ) from error
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return shlex.join(["python3", "-u", "-c", CODE.format(packed=packed)])


def machine_variables(
    *,
    lease_until: datetime,
    job: str,
    runs: str,
    public_keys: Sequence[str],
    gpus: int,
    start_minutes: float | None = None,
    linger_minutes: float | None = None,
    hard_stop_s: float | None = None,
    expose: bool = False,
    workspace: str | None = None,
    python: str | None = None,
) -> dict[str, str]:
    """What the program is told; None leaves its own default.

    Args:
        lease_until: with a time zone; the machine ends itself then.
        job: folder of the detached job that the machine lives for.
        runs: folder of the runs, which TensorBoard shows.
        public_keys: who may come in by SSH.
        gpus: how many must answer; 0 on a machine without.
        start_minutes: so long it lives without a job that runs.
        linger_minutes: so long it lives after its job's end, for its owner to look.
        hard_stop_s: after the lease, the job's time for its last checkpoint.
        expose: Jupyter on all addresses, behind its token, instead of loopback.
        workspace: what Jupyter shows; the runs' folder if None.
        python: an interpreter that may come later, with Jupyter or TensorBoard.

    Raises:
        ValueError: a lease without a time zone.
    """
    if lease_until.tzinfo is None:
        raise ValueError(
            f"lease_until={lease_until} has no time zone; give it one, such as datetime.now(UTC)"
        )
    values: dict[str, str | float | int | None] = {
        "LEASE_UNTIL": f"{lease_until.timestamp():.0f}",
        "JOB": job,
        "RUNS": runs,
        "KEYS": "\n".join(key.strip() for key in public_keys),
        "GPUS": gpus,
        "START_MINUTES": start_minutes,
        "LINGER_MINUTES": linger_minutes,
        "HARD_STOP_SECONDS": hard_stop_s,
        "EXPOSE": 1 if expose else None,
        "WORKSPACE": workspace,
        "PYTHON": python,
    }
    return {f"SONARSTACK_MACHINE_{name}": str(value) for name, value in values.items() if value is not None}
