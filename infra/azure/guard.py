"""The switches outside the machine: a timer that exists before it, and the platform's daily shutdown as a last net.

The timer deletes: a machine that is only stopped keeps its disk, and one that stops itself from within still bills.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pulumi
import pulumi_azure_native as azure

from infra.azure.workflows import deadline_definition, workflow_name

SHUTDOWN_AFTER = timedelta(minutes=30)
"""From the lease's end to the last net: the timer had two tries by then."""
LONGEST_LEASE_H = 23.0
"""With a last net that comes every day: in a longer lease its first time would come before the lease's end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineArgs:
    """What a `Deadline` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    machine: str
    """Name of the machine, which need not exist yet."""
    machine_id: str
    identity_id: pulumi.Input[str]
    """Of an `EndRight`."""
    lease_until: pulumi.Input[str]
    """2026-11-28T12:00:00Z."""
    tags: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource]
    """What must be there first: the identity's right."""


class Deadline(pulumi.ComponentResource):
    """Ends the machine when its lease does, and again every quarter of an hour after it.

    Whoever creates the machine makes it depend on this: no crash in between leaves a machine without an end.
    """

    def __init__(self, name: str, args: DeadlineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Deadline", name, None, opts)
        definition = pulumi.Output.all(identity=args.identity_id, until=args.lease_until).apply(
            lambda known: deadline_definition(args.machine_id, known["identity"], known["until"])
        )
        azure.logic.Workflow(
            f"{name}-timer",
            workflow_name=workflow_name("end", args.machine),
            resource_group_name=args.group,
            location=args.location,
            state="Enabled",
            identity=azure.logic.ManagedServiceIdentityArgs(
                type="UserAssigned", user_assigned_identities=[args.identity_id]
            ),
            definition=definition,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True, slots=True)
class DailyShutdownArgs:
    """What a `DailyShutdown` is made from."""

    group: pulumi.Input[str]
    location: str
    machine: str
    machine_id: pulumi.Input[str]
    """Of the machine itself, which must be there."""
    lease_until: pulumi.Input[str]
    """2026-11-28T12:00:00Z."""
    tags: Mapping[str, pulumi.Input[str]]


class DailyShutdown(pulumi.ComponentResource):
    """The platform's own daily shutdown, half an hour after the lease: it releases the machine, and leaves its disk.

    Only where `shutdown_fits`.
    """

    def __init__(
        self, name: str, args: DailyShutdownArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:azure:DailyShutdown", name, None, opts)
        azure.devtestlab.GlobalSchedule(
            f"{name}-schedule",
            # The one name under which Azure lets a machine have such a schedule.
            name=f"shutdown-computevm-{args.machine}",
            resource_group_name=args.group,
            location=args.location,
            status="Enabled",
            task_type="ComputeVmShutdownTask",
            daily_recurrence=azure.devtestlab.DayDetailsArgs(
                time=pulumi.Output.from_input(args.lease_until).apply(shutdown_time)
            ),
            time_zone_id="UTC",
            target_resource_id=args.machine_id,
            notification_settings=azure.devtestlab.NotificationSettingsArgs(
                status="Disabled", time_in_minutes=30
            ),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({})


def shutdown_fits(max_hours: float) -> bool:
    """Whether a daily shutdown, half an hour after a lease of so many hours, can not come before that lease's end."""
    return max_hours <= LONGEST_LEASE_H


def shutdown_time(lease_until: str) -> str:
    """HHMM in UTC of the daily shutdown."""
    return f"{datetime.fromisoformat(lease_until) + SHUTDOWN_AFTER:%H%M}"
