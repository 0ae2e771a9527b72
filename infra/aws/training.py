"""A training on EC2, from key to run: each arrow is a resource, so the engine's order is the work's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra.aws.group import DIGEST_LETTERS, group_names
from infra.aws.guard import Deadline, DeadlineArgs, IdleAlarm, IdleAlarmArgs, MonthlyBudget, MonthlyBudgetArgs
from infra.aws.host import Host, HostArgs
from infra.aws.identity import HostRole, HostRoleArgs
from infra.aws.image import PushedImage, PushedImageArgs
from infra.aws.keys import Key, KeyArgs
from infra.aws.logs import Logs, LogsArgs
from infra.aws.names import account_name, flow_log_group_name, repository_name, role_arn, role_name
from infra.aws.network import Network, NetworkArgs
from infra.aws.network_prices import Profile
from infra.aws.owned import LEASE
from infra.aws.places import Places
from infra.aws.preflight import Account
from infra.aws.registry import ImageRepository, ImageRepositoryArgs
from infra.aws.secrets import StackSecret, StackSecretArgs
from infra.aws.start_text import start_text
from infra.aws.storage import RunBucket, RunBucketArgs
from infra.naming import resource_name, tags
from infra.provider.resources import Lease, RunRescue, TrainingRun, Upload
from infra.specs import TrainingJob

DLAMI = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
"""Public parameter of AWS's Deep Learning AMI: driver, Docker, NVIDIA runtime, agents (cloud facts 3.2, 2026-11)."""
ROOT_DEVICE = "/dev/sda1"
"""Of that image, as of Ubuntu's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ec2TrainingArgs:
    """What an `Ec2Training` is made from."""

    account: Account
    places: Places
    job: TrainingJob
    """Without data, run, log and secret addresses, which are those of the places."""
    project: str
    """Absolute folder of the project here."""
    data: str
    """Absolute folder of tiles here."""
    home: str
    image: str | None
    """Somebody's own; None builds and pushes the stack's."""
    build_args: Mapping[str, str]
    market: Literal["spot", "on_demand"]
    on_demand_after: int | None
    network: Profile
    ami: str | None
    disk_gib: int
    keep_bucket: bool
    log_days: int
    budget: tuple[float, str] | None
    """Dollars a month, and who is written to."""
    secrets: pulumi.Input[str] | None
    """JSON of names and values that the program reads from the cloud's store; None for none."""
    wait: bool
    trigger: str


class Ec2Training(pulumi.ComponentResource):
    """Key, bucket, rights, network, image and data first; then the timer; then the machine; last the run."""

    def __init__(self, name: str, args: Ec2TrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Ec2Training", name, None, opts)
        self._name, self._args, self._places = name, args, args.places
        self._marks = tags("aws", stamp=self._places.stamp, lease_until=None)
        provider = aws.Provider(
            f"{name}-aws",
            region=self._places.region,
            allowed_account_ids=[self._places.account_id],
            default_tags=aws.ProviderDefaultTagsArgs(tags=self._marks),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._child = pulumi.ResourceOptions(parent=self, providers=[provider])
        self._declare()

    def _declare(self) -> None:
        args, name = self._args, self._name
        self.key = self._key()
        bucket = RunBucket(
            f"{name}-bucket",
            RunBucketArgs(
                bucket_name=self._places.bucket, key_arn=self.key.key_arn, keep=args.keep_bucket, tags=self._marks,
                exists=args.account.kept is not None,
            ),
            self._child,
        )  # fmt: skip
        logs = self._logs()
        secret = self._secret()
        repository = self._repository()
        role = self._role(bucket, logs, secret, repository)
        network = self._network()
        image = self._image(repository)
        data = self._data(bucket)
        # Another job has others: the old machine keeps its lease and its end until it is gone, also where this `up`
        # fails.
        job = self._places.job_digest[:DIGEST_LETTERS]
        lease = self._lease(f"{name}-lease-{job}")
        deadline = Deadline(
            f"{name}-deadline-{job}",
            DeadlineArgs(
                group=self._places.group, account_id=self._places.account_id, region=self._places.region,
                lease_until=lease.lease_until,
            ),
            self._child,
        )  # fmt: skip
        self.host = self._host(
            lease, role, network, image, secret, [deadline, data, logs, bucket, network, self._rescue(bucket)]
        )
        if args.job.limits.idle_minutes is not None:
            IdleAlarm(
                f"{name}-idle",
                IdleAlarmArgs(
                    group=self.host.group_name,
                    namespace=self._places.namespace,
                    idle_minutes=args.job.limits.idle_minutes,
                ),
                self._child,
            )
        if args.budget is not None:
            usd, email = args.budget
            MonthlyBudget(
                f"{name}-budget",
                MonthlyBudgetArgs(stamp=self._places.stamp, limit_usd=usd, email=email),
                self._child,
            )
        self.lease_until, self.image, self.bucket_name = lease.lease_until, image, bucket.bucket_name
        self.run = self._run(bucket)
        self.register_outputs({"home": args.home})

    def _key(self) -> Key:
        args = self._args
        return Key(
            f"{self._name}-key",
            KeyArgs(
                account_id=self._places.account_id,
                region=self._places.region,
                alias=self._places.stamp,
                log_group_names=(self._places.log_group, flow_log_group_name(self._places.stamp)),
                spot=args.market == "spot",
                keep=args.keep_bucket,
                tags=self._marks,
                existing_id=args.account.kept.key_id if args.account.kept else None,
            ),
            self._child,
        )

    def _logs(self) -> Logs:
        args = self._args
        return Logs(
            f"{self._name}-logs",
            LogsArgs(
                region=self._places.region,
                group_name=self._places.log_group,
                retention_days=args.log_days,
                key_arn=self.key.key_arn,
                namespace=self._places.namespace,
                machine_group=self._places.group,
                page_name=self._places.stamp,
                tags=self._marks,
            ),
            self._child,
        )

    def _secret(self) -> StackSecret | None:
        args = self._args
        if args.secrets is None:
            return None
        machine = role_arn(self._places.account_id, self._places.region, self._places.stamp)
        return StackSecret(
            f"{self._name}-secret",
            StackSecretArgs(
                secret_name=resource_name("aws", self._places.stamp, "job"),
                value=args.secrets,
                key_arn=self.key.key_arn,
                readers=(machine, *args.account.readers),
                tags=self._marks,
            ),
            self._child,
        )

    def _repository(self) -> ImageRepository | None:
        if self._args.image is not None:
            return None
        return ImageRepository(
            f"{self._name}-images",
            ImageRepositoryArgs(
                repository_name=repository_name(self._places.stamp),
                key_arn=self.key.key_arn,
                tags=self._marks,
            ),
            self._child,
        )

    def _role(
        self, bucket: RunBucket, logs: Logs, secret: StackSecret | None, repository: ImageRepository | None
    ) -> HostRole:
        return HostRole(
            f"{self._name}-role",
            HostRoleArgs(
                account_id=self._places.account_id,
                region=self._places.region,
                stack=self._places.stack,
                role_name=role_name(self._places.stamp),
                bucket_arn=bucket.arn,
                key_arn=self.key.key_arn,
                log_group_arn=logs.arn,
                namespace=self._places.namespace,
                group_names=group_names(self._places.stamp),
                tags=self._marks,
                secret_arn=None if secret is None else secret.secret_arn,
                repository_arn=None if repository is None else repository.arn,
            ),
            self._child,
        )

    def _network(self) -> Network:
        args = self._args
        return Network(
            f"{self._name}-network",
            NetworkArgs(
                account_id=self._places.account_id,
                region=self._places.region,
                zones=args.account.zones,
                profile=args.network,
                buckets=(self._places.bucket,),
                key_arn=self.key.key_arn,
                flow_log_group_name=flow_log_group_name(self._places.stamp),
                tags=self._marks,
            ),
            self._child,
        )

    def _image(self, repository: ImageRepository | None) -> pulumi.Input[str]:
        args = self._args
        if repository is None:
            assert args.image is not None
            return args.image
        return PushedImage(
            f"{self._name}-image",
            PushedImageArgs(
                context=args.project,
                tag=self._places.job_digest,
                repository_url=repository.repository_url,
                local_name=resource_name("docker", "sonarstack", self._places.stack),
                build_args=args.build_args,
            ),
            self._child,
        ).reference

    def _where(self, bucket: RunBucket) -> dict[str, pulumi.Input[str]]:
        """The bucket, for whoever opens it from here."""
        address = pulumi.Output.concat("s3://", bucket.bucket_name)
        return {"bucket": address, "region": self._places.region, "owner": self._places.stamp}

    def _data(self, bucket: RunBucket) -> Upload:
        return Upload(
            f"{self._name}-data",
            host=self._where(bucket),
            source=self._args.data,
            target=self._places.data,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _rescue(self, bucket: RunBucket) -> RunRescue:
        return RunRescue(
            # Another run has another one, and this one comes home before that is forgotten.
            f"{self._name}-rescue-{self._places.run_name}",
            run_host=self._where(bucket),
            run_path=self._places.run,
            home=self._args.home,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _lease(self, name: str) -> Lease:
        args = self._args
        limits = args.job.limits
        assert limits.max_usd_per_h is not None
        return Lease(
            name,
            cloud="aws",
            account=account_name(self._places.account_id, self._places.region),
            lease_name=self._places.group,
            stamp=self._places.stamp,
            run=self._places.run_name,
            max_hours=limits.max_hours,
            price_usd_per_h=limits.max_usd_per_h,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _host(
        self,
        lease: Lease,
        role: HostRole,
        network: Network,
        image: pulumi.Input[str],
        secret: StackSecret | None,
        first: list[pulumi.Resource],
    ) -> Host:
        args = self._args
        ami = args.ami or aws.ssm.get_parameter_output(
            name=DLAMI, opts=pulumi.InvokeOutputOptions(parent=self)
        ).apply(lambda found: found.value)
        start = pulumi.Output.all(
            image=image, until=lease.lease_until, secret=None if secret is None else secret.secret_arn
        ).apply(
            lambda known: start_text(
                self._places,
                args.job,
                args.account.types,
                image=known["image"],
                lease_until=known["until"],
                secret_arn=known["secret"],
                on_demand_after=args.on_demand_after,
            )
        )
        marks: dict[str, pulumi.Input[str]] = {
            **self._marks,
            **tags("aws", stamp=self._places.stamp, lease_until=None, extra={"run": self._places.run_name}),
            LEASE: lease.lease_until,
        }
        return Host(
            f"{self._name}-host",
            HostArgs(
                group=self._places.group,
                types=[kind.name for kind in args.account.types],
                market=args.market,
                max_usd_per_h=args.job.limits.max_usd_per_h or 0.0,
                ami=ami,
                pin_ami=args.ami is None,
                disk_gib=args.disk_gib,
                device_name=ROOT_DEVICE,
                key_arn=self.key.key_arn,
                profile_arn=role.profile_arn,
                subnet_ids=network.subnet_ids,
                security_group_id=network.security_group_id,
                public_address=network.public_address,
                user_data=start,
                tags=marks,
                after=first,
            ),
            self._child,
        )

    def _run(self, bucket: RunBucket) -> TrainingRun:
        args = self._args
        where = self._where(bucket)
        return TrainingRun(
            f"{self._name}-run",
            where={
                **where,
                "kind": "group",
                "group": self.host.group_name,
                "notes": self._places.notes,
                "logGroup": self._places.log_group,
                "logStream": self._places.log_stream,
            },
            run_host=where,
            run_path=self._places.run,
            home=args.home,
            wait=args.wait,
            # The uploads and a machine's start are in it: two minutes' warning, and the checkpoint's own time.
            stop_grace_s=180.0,
            trigger=f"{args.trigger} {self._places.job_digest}",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.host], delete_before_replace=True),
        )
