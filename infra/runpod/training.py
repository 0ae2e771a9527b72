"""A training on a rented pod, from storage to run: each arrow is a resource, so the engine's order is the work's."""

import shlex
from dataclasses import dataclass, replace

import pulumi

from infra.naming import resource_name
from infra.project_code import CODE, CODE_EXCLUDES
from infra.provider.resources import TrainingRun, Upload
from infra.runpod.resources import Leftovers, NetworkVolume, Pod, PodReady, RegistryCredential
from infra.runpod.spec import PodSpec
from infra.specs import TrainingJob

LATE = ("SONARSTACK_MAX_HOURS", "SONARSTACK_PRICE_USD_PER_H", "SONARSTACK_SPENT_USD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """How a private image is pulled."""

    username: str
    password: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PodTrainingArgs:
    """What a `PodTraining` is made from."""

    spec: PodSpec
    """Without volume and registry, which are made here."""
    account: str
    """Address of the API, for the dollars that count."""
    volume_gib: int
    """0 for none: the run lies on the pod's own disk then."""
    data_centers: tuple[str, ...]
    registry: Registry | None
    code: str
    """Absolute folder of the project here."""
    data: str | None
    """Absolute folder of tiles here; None where the program fetches its data itself."""
    job: TrainingJob
    job_digest: str
    """Another one rents again after a pod that has ended."""
    python: str | None
    """Interpreter on the pod that has everything; None makes an environment beside its torch."""
    home: str
    run_name: str
    """Folder of the run on the pod."""
    wait: bool
    trigger: str
    ready_minutes: float | None
    secrets: pulumi.Input[dict[str, str]] | None
    """Variables that go over SSH into the job's memory."""
    sealed: bool
    """Whether data and run lie on the pod encrypted only."""


class PodTraining(pulumi.ComponentResource):
    """Storage, pod, code and data, job: rented, sent and started in this order, and ended in the other."""

    def __init__(self, name: str, args: PodTrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:runpod:PodTraining", name, None, opts)
        spec = args.spec
        leftovers = Leftovers(f"{name}-leftovers", stamp=spec.stamp, opts=pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self, depends_on=[leftovers])
        volume = None
        if args.volume_gib:
            volume = NetworkVolume(
                f"{name}-volume",
                volume_name=resource_name("runpod", spec.stamp, "volume"),
                size_gib=args.volume_gib,
                spec=spec,
                data_centers=args.data_centers,
                opts=child,
            )
        registry = None
        if args.registry is not None:
            registry = RegistryCredential(
                f"{name}-registry",
                credential_name=resource_name("runpod", spec.stamp, "registry"),
                username=args.registry.username,
                password=args.registry.password,
                opts=child,
            )
        # What outlives a pod is still there while the next one is made: the old pod goes first.
        first = pulumi.ResourceOptions(parent=self, depends_on=[leftovers], delete_before_replace=True)
        self.pod = Pod(
            f"{name}-pod",
            spec=spec if volume is not None else replace(spec, data_centers=args.data_centers),
            job=args.job_digest,
            volume_id=None if volume is None else volume.volume_id,
            data_centers=None if volume is None else volume.data_center.apply(lambda center: [center]),
            registry_id=None if registry is None else registry.registry_id,
            opts=first,
        )
        self.ready = PodReady(f"{name}-ready", pod=self.pod, ready_minutes=args.ready_minutes, opts=first)
        seal = spec.stamp if args.sealed else None
        sent = [
            self._upload(f"{name}-code", args.code, f"{spec.folder}/code", exclude=CODE_EXCLUDES, only=CODE)
        ]
        # Hours and price are the lease's, told at the start: another limit must not stop a job that runs.
        variables = {k: v for k, v in args.job.variables().items() if k not in LATE}
        if args.data is not None:
            sent.append(self._upload(f"{name}-data", args.data, f"{spec.folder}/data", seal=seal))
            variables["SONARSTACK_DATA_URL"] = "../data"
        self.run = TrainingRun(
            f"{name}-run",
            start={
                "folder": f"{spec.folder}/job",
                "argv": ["sh", "-c", _command(args)],
                "variables": variables,
                "cwd": f"{spec.folder}/code",
                "stamp": spec.stamp,
            },
            run_host=self.ready.host,
            run_path=f"{spec.folder}/{args.run_name}",
            home=args.home,
            wait=args.wait,
            # New code or data is a new job: the old one is stopped with a checkpoint and taken up from there.
            trigger=pulumi.Output.concat(args.trigger, *[part for one in sent for part in (" ", one.sha256)]),
            machine=self.ready.ready_pod_id,
            terms={
                "leaseUntil": self.ready.lease_until,
                "priceUsdPerH": self.ready.price_usd_per_h,
                "account": args.account,
                "stamp": spec.stamp,
                "run": spec.run,
            },
            secrets=args.secrets,
            seal=seal,
            opts=pulumi.ResourceOptions(parent=self, depends_on=sent, delete_before_replace=True),
        )
        self.register_outputs({"home": args.home})

    def _upload(
        self,
        name: str,
        source: str,
        target: str,
        *,
        exclude: tuple[str, ...] = (),
        only: tuple[str, ...] | None = None,
        seal: str | None = None,
    ) -> Upload:
        return Upload(
            name,
            host=self.ready.host,
            source=source,
            target=target,
            exclude=exclude,
            only=only,
            machine=self.ready.ready_pod_id,
            goes_with_host=True,
            seal=seal,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )


def _command(args: PodTrainingArgs) -> str:
    """What the pod's shell runs in the code's folder; exec, so that signals reach the job itself."""
    train = shlex.join(("-m", "app", *args.job.arguments(f"../{args.run_name}")))
    if args.python is not None:
        return f"exec {shlex.quote(args.python)} {train}"
    # Beside the code and not within it, whose folder is kept equal to this machine's.
    return f"sh images/cloud/prepare.sh ../venv && exec ../venv/bin/python {train}"
