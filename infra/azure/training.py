"""A training on an Azure machine: data and lease, then the timer, then the machine, last the run."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import pulumi

from infra.azure.bastion import Bastion, BastionArgs
from infra.azure.budget import MonthlyBudget, MonthlyBudgetArgs
from infra.azure.ground import Ground, GroundArgs
from infra.azure.guard import DailyShutdown, DailyShutdownArgs, Deadline, DeadlineArgs, shutdown_fits
from infra.azure.host import EntraLogin, Host, HostArgs
from infra.azure.idle_alarm import IdleAlarm, IdleAlarmArgs
from infra.azure.names import DATA, DIGEST_LETTERS, RUNS, account_name
from infra.azure.new_rights import PATIENCE_S
from infra.azure.owned import LEASE
from infra.azure.start_text import start_text
from infra.naming import tags
from infra.provider.resources import Lease, RunRescue, TrainingRun, Upload
from infra.specs import TrainingJob


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureTrainingArgs:
    """What an `AzureTraining` is made from."""

    ground: GroundArgs
    job: TrainingJob
    """Without data, run, log and secret addresses, which are those of the places."""
    data: str
    """Absolute folder of tiles here."""
    home: str
    market: Literal["spot", "on_demand"]
    entra: bool
    """Whether who deploys may log in by the directory's account."""
    ssh_public_key: str
    image_version: str | None
    """Of the machine's image; None for the newest when it is first made, which then stays."""
    disk_gib: int
    budget: tuple[float, str] | None
    """Dollars a month, and who is written to."""
    today: date
    wait: bool
    trigger: str


class AzureTraining(pulumi.ComponentResource):
    """The engine's order is the work's: each arrow is a resource."""

    def __init__(
        self, name: str, args: AzureTrainingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:azure:AzureTraining", name, None, opts)
        self._name, self._args = name, args
        self._account, self._places = args.ground.account, args.ground.places
        self._location = self._places.location
        self._marks = tags("azure", stamp=self._places.stamp, lease_until=None)
        self._child = pulumi.ResourceOptions(parent=self)
        self.ground = Ground(f"{name}-ground", args.ground, self._child)
        self._group = self.ground.group
        data = self._data()
        lease = self._lease()
        deadline = Deadline(
            f"{name}-deadline",
            DeadlineArgs(
                group=self._group, location=self._location, machine=self._places.machine,
                machine_id=self._places.machine_id, identity_id=self.ground.end.identity_id,
                lease_until=lease.lease_until, tags=self._marks, after=[self.ground.end.granted],
            ),
            self._child,
        )  # fmt: skip
        self.host = self._host(lease, [deadline, data, self._rescue(), *self.ground.ready])
        self._nets(lease)
        self.lease_until, self.image = lease.lease_until, self.ground.image
        self.run = self._run(self._bastion())
        self.register_outputs({"home": args.home})

    def _where(self, container: str) -> dict[str, pulumi.Input[str]]:
        """A container, for whoever opens it from here."""
        return {
            "bucket": f"az://{container}",
            "account": self.ground.storage.account_name,
            "owner": self._places.stamp,
        }

    def _data(self) -> Upload:
        return Upload(
            f"{self._name}-data",
            # By a right that was given a moment ago.
            host={**self._where(DATA), "patienceS": PATIENCE_S},
            source=self._args.data,
            target=self._places.data,
            opts=pulumi.ResourceOptions(
                parent=self, delete_before_replace=True, depends_on=self.ground.storage.ready
            ),
        )

    def _rescue(self) -> RunRescue:
        return RunRescue(
            # Another run has another one, and this one comes home before that is forgotten.
            f"{self._name}-rescue-{self._places.run_name}",
            run_host=self._where(RUNS),
            run_path=self._places.run,
            home=self._args.home,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.ground.storage.ready),
        )

    def _lease(self) -> Lease:
        limits = self._args.job.limits
        assert limits.max_usd_per_h is not None
        return Lease(
            # Another machine has another one: the old one's is closed when that is gone, not when this `up` begins.
            f"{self._name}-lease-{self._places.job_digest[:DIGEST_LETTERS]}-{self._places.attempt}",
            cloud="azure",
            account=account_name(self._places.subscription_id, self._location),
            lease_name=self._places.machine,
            stamp=self._places.stamp,
            run=self._places.run_name,
            max_hours=limits.max_hours,
            price_usd_per_h=limits.max_usd_per_h,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _host(self, lease: Lease, first: list[pulumi.Resource]) -> Host:
        args, account, ground = self._args, self._account, self.ground
        secret = ground.secret
        start = pulumi.Output.all(
            image=ground.image,
            until=lease.lease_until,
            secret=None if secret is None else secret.secret_uri,
            client=ground.identity.client_id,
            log=ground.logs.log_address,
            gpu_log=ground.logs.gpu_log_address,
        ).apply(
            lambda known: start_text(
                self._places,
                args.job,
                account.size,
                image=known["image"],
                lease_until=known["until"],
                secret_id=known["secret"],
                client_id=known["client"],
                log_address=known["log"],
                gpu_log_address=known["gpu_log"],
            )
        )
        marks: dict[str, pulumi.Input[str]] = {
            **tags("azure", stamp=self._places.stamp, lease_until=None, extra={"run": self._places.run_name}),
            LEASE: lease.lease_until,
        }
        return Host(
            f"{self._name}-host",
            HostArgs(
                group=self._group,
                location=self._location,
                machine=self._places.machine,
                size=account.size.name,
                market=args.market,
                max_usd_per_h=args.job.limits.max_usd_per_h or 0.0,
                image_version=args.image_version or account.image_version,
                pin_image=args.image_version is None,
                trusted_launch=account.trusted_launch,
                encryption_at_host=account.host_encryption,
                disk_gib=args.disk_gib,
                disk_encryption_set_id=ground.key.disk_encryption_set_id,
                subnet_id=ground.network.subnet_id,
                identity_id=ground.identity.identity_id,
                ssh_public_key=args.ssh_public_key,
                start_text=start,
                rule_id=ground.logs.rule_id,
                tags=marks,
                over=account.over,
                after=first,
                login=EntraLogin(
                    subscription_id=self._places.subscription_id,
                    group_id=self._places.group_id,
                    principal_id=account.object_id,
                    principal_type=account.principal_type,
                )
                if args.entra
                else None,
            ),
            self._child,
        )

    def _nets(self, lease: Lease) -> None:
        """What else ends the machine, or tells of money, should all before it fail."""
        args, name, ground = self._args, self._name, self.ground
        limits = args.job.limits
        if shutdown_fits(limits.max_hours):
            DailyShutdown(
                f"{name}-shutdown",
                DailyShutdownArgs(
                    group=self._group, location=self._location, machine=self._places.machine,
                    machine_id=self.host.machine_id, lease_until=lease.lease_until, tags=self._marks,
                ),
                self._child,
            )  # fmt: skip
        if limits.idle_minutes is not None:
            IdleAlarm(
                f"{name}-idle",
                IdleAlarmArgs(
                    group=self._group, location=self._location, stamp=self._places.stamp,
                    machine=self._places.machine, machine_id=self._places.machine_id,
                    identity_id=ground.end.identity_id, workspace_id=ground.logs.workspace_id,
                    idle_minutes=limits.idle_minutes, tags=self._marks, after=[ground.end.granted, *ground.logs.tables],
                ),
                self._child,
            )  # fmt: skip
        if args.budget is not None:
            usd, email = args.budget
            MonthlyBudget(
                f"{name}-budget",
                MonthlyBudgetArgs(
                    group_id=self._group.apply(lambda _: self._places.group_id), stamp=self._places.stamp,
                    limit_usd=usd, email=email, today=args.today,
                ),
                self._child,
            )  # fmt: skip

    def _bastion(self) -> Bastion | None:
        if not self._args.ground.bastion:
            return None
        return Bastion(
            f"{self._name}-bastion",
            BastionArgs(
                group=self._group, location=self._location, stamp=self._places.stamp,
                network_name=self.ground.network.network_name, caller_address=self._account.caller_address,
                tags=self._marks, after=self.ground.network.ready,
            ),
            self._child,
        )  # fmt: skip

    def _run(self, bastion: Bastion | None) -> TrainingRun:
        args = self._args
        where = self._where(RUNS)
        return TrainingRun(
            f"{self._name}-run",
            where={
                **where,
                "kind": "vm",
                "subscription": self._places.subscription_id,
                "group": self._group,
                "location": self._location,
                "machine": self.host.machine_name,
                "notes": self._places.notes,
                "login": "entra" if args.entra else "key",
                **({} if bastion is None else {"bastion": bastion.bastion_name}),
            },
            run_host=where,
            run_path=self._places.run,
            home=args.home,
            wait=args.wait,
            # The uploads are in it, and the platform's own run command.
            stop_grace_s=180.0,
            trigger=f"{args.trigger} {self._places.job_digest} {self._places.attempt}",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.host], delete_before_replace=True),
        )
