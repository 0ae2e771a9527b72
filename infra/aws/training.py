"""A training on EC2, from key to run: each arrow is a resource, so the engine's order is the work's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra.aws.agent import agent_config
from infra.aws.group import group_name
from infra.aws.guard import Deadline, DeadlineArgs, IdleAlarm, IdleAlarmArgs, MonthlyBudget, MonthlyBudgetArgs
from infra.aws.host import Host, HostArgs
from infra.aws.identity import HostRole, HostRoleArgs
from infra.aws.image import PushedImage, PushedImageArgs
from infra.aws.keys import Key, KeyArgs
from infra.aws.logs import Logs, LogsArgs
from infra.aws.names import (
    bucket_name,
    flow_log_group_name,
    log_group_name,
    metric_namespace,
    repository_name,
    role_arn,
    role_name,
)
from infra.aws.network import Network, NetworkArgs
from infra.aws.network_prices import Profile
from infra.aws.orders import AGENT_SETTINGS, HostOrders, host_orders
from infra.aws.preflight import Account
from infra.aws.registry import ImageRepository, ImageRepositoryArgs
from infra.aws.secrets import StackSecret, StackSecretArgs
from infra.aws.storage import RunBucket, RunBucketArgs
from infra.naming import resource_name, tags
from infra.provider.resources import Lease, TrainingRun, Upload
from infra.specs import TrainingJob
from infra.vm.cloud_init import cloud_init

DLAMI = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
"""Public parameter of AWS's Deep Learning AMI: driver, Docker, NVIDIA runtime, agents (cloud facts 3.2, 2026-11)."""
ROOT_DEVICE = "/dev/sda1"
"""Of that image, as of Ubuntu's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ec2TrainingArgs:
    """What an `Ec2Training` is made from."""

    account: Account
    region: str
    stack: str
    stamp: str
    run_name: str
    job: TrainingJob
    """Without data, run, log and secret addresses, which are made here."""
    job_digest: str
    """Another one is another machine."""
    project: str
    """Absolute folder of the project here."""
    data: str
    """Absolute folder of tiles here."""
    data_digest: str
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
        self._name, self._args = name, args
        self._marks = tags("aws", stamp=args.stamp, lease_until=None)
        provider = aws.Provider(
            f"{name}-aws",
            region=args.region,
            allowed_account_ids=[args.account.account_id],
            default_tags=aws.ProviderDefaultTagsArgs(tags=self._marks),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._child = pulumi.ResourceOptions(parent=self, providers=[provider])
        self._group = group_name(args.stamp, args.job_digest)
        self._bucket_name = bucket_name(args.account.account_id, args.region, args.stamp)
        self._log_group = log_group_name(args.stamp)
        self._namespace = metric_namespace(args.stamp)
        self._folder = f"runs/{args.stack}"
        self._declare()

    def _declare(self) -> None:
        args, name = self._args, self._name
        self.key = self._key()
        bucket = RunBucket(
            f"{name}-bucket",
            RunBucketArgs(
                bucket_name=self._bucket_name, key_arn=self.key.key_arn, keep=args.keep_bucket, tags=self._marks,
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
        lease = self._lease()
        deadline = Deadline(
            f"{name}-deadline",
            DeadlineArgs(
                group=self._group, account_id=args.account.account_id, region=args.region,
                lease_until=lease.lease_until,
            ),
            self._child,
        )  # fmt: skip
        self.host = self._host(lease, role, network, image, secret, [deadline, data, logs, bucket, network])
        if args.job.limits.idle_minutes is not None:
            IdleAlarm(
                f"{name}-idle",
                IdleAlarmArgs(
                    group=self.host.group_name,
                    namespace=self._namespace,
                    idle_minutes=args.job.limits.idle_minutes,
                ),
                self._child,
            )
        if args.budget is not None:
            usd, email = args.budget
            MonthlyBudget(
                f"{name}-budget", MonthlyBudgetArgs(stamp=args.stamp, limit_usd=usd, email=email), self._child
            )
        self.lease_until, self.image, self.bucket_name = lease.lease_until, image, bucket.bucket_name
        self.run = self._run(bucket)
        self.register_outputs({"home": args.home})

    def _key(self) -> Key:
        args = self._args
        return Key(
            f"{self._name}-key",
            KeyArgs(
                account_id=args.account.account_id,
                region=args.region,
                alias=args.stamp,
                log_group_names=(self._log_group, flow_log_group_name(args.stamp)),
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
                region=args.region,
                group_name=self._log_group,
                retention_days=args.log_days,
                key_arn=self.key.key_arn,
                namespace=self._namespace,
                machine_group=self._group,
                page_name=args.stamp,
                tags=self._marks,
            ),
            self._child,
        )

    def _secret(self) -> StackSecret | None:
        args = self._args
        if args.secrets is None:
            return None
        machine = role_arn(args.account.account_id, args.region, args.stamp)
        return StackSecret(
            f"{self._name}-secret",
            StackSecretArgs(
                secret_name=resource_name("aws", args.stamp, "job"),
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
                repository_name=repository_name(self._args.stamp), key_arn=self.key.key_arn, tags=self._marks
            ),
            self._child,
        )

    def _role(
        self, bucket: RunBucket, logs: Logs, secret: StackSecret | None, repository: ImageRepository | None
    ) -> HostRole:
        args = self._args
        return HostRole(
            f"{self._name}-role",
            HostRoleArgs(
                account_id=args.account.account_id,
                region=args.region,
                stack=args.stack,
                role_name=role_name(args.stamp),
                bucket_arn=bucket.arn,
                key_arn=self.key.key_arn,
                log_group_arn=logs.arn,
                namespace=self._namespace,
                group_name=self._group,
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
                account_id=args.account.account_id,
                region=args.region,
                zones=args.account.zones,
                profile=args.network,
                buckets=(self._bucket_name,),
                key_arn=self.key.key_arn,
                flow_log_group_name=flow_log_group_name(args.stamp),
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
                tag=args.job_digest,
                repository_url=repository.repository_url,
                local_name=resource_name("docker", "sonarstack", args.stack),
                build_args=args.build_args,
            ),
            self._child,
        ).reference

    def _where(self, bucket: RunBucket) -> dict[str, pulumi.Input[str]]:
        """The bucket, for whoever opens it from here."""
        address = pulumi.Output.concat("s3://", bucket.bucket_name)
        return {"bucket": address, "region": self._args.region, "owner": self._args.stamp}

    def _data(self, bucket: RunBucket) -> Upload:
        return Upload(
            f"{self._name}-data",
            host=self._where(bucket),
            source=self._args.data,
            target=self._data_prefix,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    @property
    def _data_prefix(self) -> str:
        """Other data lies elsewhere: what a machine reads now is never changed under its hands."""
        return f"data/{self._args.stack}/{self._args.data_digest}"

    def _lease(self) -> Lease:
        args = self._args
        limits = args.job.limits
        assert limits.max_usd_per_h is not None
        return Lease(
            f"{self._name}-lease",
            cloud="aws",
            account=f"aws:{args.account.account_id}:{args.region}",
            lease_name=self._group,
            stamp=args.stamp,
            run=args.run_name,
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
        ).apply(lambda known: self._start_text(known["image"], known["until"], known["secret"]))
        marks: dict[str, pulumi.Input[str]] = {
            **self._marks,
            **tags("aws", stamp=args.stamp, lease_until=None, extra={"run": args.run_name}),
            "sonarstack:lease-until": lease.lease_until,
        }
        return Host(
            f"{self._name}-host",
            HostArgs(
                group=self._group,
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

    def _start_text(self, image: str, lease_until: str, secret_arn: str | None) -> str:
        args = self._args
        bucket = f"s3://{self._bucket_name}"
        job = replace(
            args.job,
            data_url=f"{bucket}/{self._data_prefix}",
            run_url=f"{bucket}/{self._folder}/{args.run_name}",
            # One process each GPU, where any of the types has several.
            nproc="auto" if any(kind.gpu_count > 1 for kind in args.account.types) else None,
            cloud="aws",
            log_provider="aws",
            log_group=self._log_group,
            secret_id=None if secret_arn is None else f"aws:{secret_arn}",
        )
        orders = host_orders(
            HostOrders(
                group=self._group,
                region=args.region,
                bucket=self._bucket_name,
                notes=self._notes,
                log_group=self._log_group,
                log_stream=self._stream,
                image=image,
                arguments=job.arguments(f"/runs/{args.run_name}"),
                variables=job.variables(),
                lease_until_s=datetime.fromisoformat(lease_until).timestamp(),
                on_demand_after=args.on_demand_after,
            )
        )
        agent = json.dumps(agent_config(self._namespace, self._group))
        return cloud_init(orders, files={AGENT_SETTINGS: agent})

    @property
    def _notes(self) -> str:
        return f"{self._folder}/host/{self._group}"

    @property
    def _stream(self) -> str:
        return f"{self._args.run_name}/{self._group}"

    def _run(self, bucket: RunBucket) -> TrainingRun:
        args = self._args
        where = self._where(bucket)
        return TrainingRun(
            f"{self._name}-run",
            where={
                **where,
                "kind": "group",
                "group": self.host.group_name,
                "notes": self._notes,
                "logGroup": self._log_group,
                "logStream": self._stream,
            },
            run_host=where,
            run_path=f"{self._folder}/{args.run_name}",
            home=args.home,
            wait=args.wait,
            # The uploads and a machine's start are in it: two minutes' warning, and the checkpoint's own time.
            stop_grace_s=180.0,
            trigger=f"{args.trigger} {args.job_digest}",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.host], delete_before_replace=True),
        )
