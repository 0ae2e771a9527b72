"""One's own GPU server: code and data go there by SSH, the job runs as a process, the run comes home."""

import shlex
from dataclasses import dataclass

import pulumi

from infra.project_code import CODE, CODE_EXCLUDES
from infra.provider.resources import TrainingRun, Upload
from infra.specs import TrainingJob


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuServerArgs:
    """What a `GpuServer` is made from."""

    address: str
    """ssh://user@host:port."""
    host_key: str | None
    """Pinned; None leaves it to known_hosts."""
    folder: str
    """Of this stack on the server."""
    code: str
    """Absolute folder of the project here."""
    data: str | None
    """Absolute folder of tiles here; None where the program fetches its data itself."""
    job: TrainingJob
    """Its data_url is ignored where `data` is given."""
    python: str | None
    """Interpreter on the server that has torch; None makes an environment there with setup.sh."""
    home: str
    stamp: str
    wait: bool
    trigger: str


class GpuServer(pulumi.ComponentResource):
    """Upload, then run: each arrow is a resource, so that the engine's order is the order of the work."""

    def __init__(self, name: str, args: GpuServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:local:GpuServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        host = {"address": args.address, "hostKey": args.host_key}
        code = Upload(
            f"{name}-code",
            host=host,
            source=args.code,
            target=f"{args.folder}/code",
            exclude=CODE_EXCLUDES,
            only=CODE,
            opts=child,
        )
        sent = [code]
        variables = args.job.variables()
        if args.data is not None:
            data = Upload(
                f"{name}-data", host=host, source=args.data, target=f"{args.folder}/data", opts=child
            )
            sent.append(data)
            variables["SONARSTACK_DATA_URL"] = "../data"
        self.run = TrainingRun(
            f"{name}-run",
            start={
                "folder": f"{args.folder}/job",
                "argv": ["sh", "-c", _command(args)],
                "variables": variables,
                "cwd": f"{args.folder}/code",
                "stamp": args.stamp,
            },
            run_host=host,
            run_path=f"{args.folder}/run",
            home=args.home,
            wait=args.wait,
            # New code or data is a new job: the old one is stopped with a checkpoint and taken up from there.
            trigger=pulumi.Output.concat(args.trigger, *[part for one in sent for part in (" ", one.sha256)]),
            opts=pulumi.ResourceOptions(parent=self, depends_on=sent, delete_before_replace=True),
        )
        self.register_outputs({"home": args.home})


def _command(args: GpuServerArgs) -> str:
    """What the server's shell runs in the code's folder; exec, so that signals reach the job itself."""
    train = shlex.join(("-m", "app", *args.job.arguments("../run")))
    if args.python is not None:
        return f"exec {shlex.quote(args.python)} {train}"
    return f"sh setup.sh .venv && exec .venv/bin/python {train}"
