"""The look from outside at an idle GPU: a question to its table every five minutes, whose answer ends the machine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.query_alarm import QueryAlarm, query_alarm
from infra.azure.tables import GPU
from infra.azure.workflows import TRIGGER, idle_definition, workflow_name


@dataclass(frozen=True, kw_only=True, slots=True)
class IdleAlarmArgs:
    """What an `IdleAlarm` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    stamp: str
    machine: str
    machine_id: str
    identity_id: pulumi.Input[str]
    """Of an `EndRight`."""
    workspace_id: pulumi.Input[str]
    """With the GPU table."""
    idle_minutes: float
    tags: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource]
    """What must be there first: the tables, and the identity's right."""
    percent: float = 5.0


LOOK_MINUTES = 5
LATE_MINUTES = 5
"""That figures may take from the machine to the table."""
WINDOWS_MINUTES = (5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880)
"""That a rule by query may look back. Source: scheduled query rules, windowSize, read 2026-11."""


class IdleAlarm(pulumi.ComponentResource):
    """Ends the machine when its GPU has done next to nothing; the program's own look is the first switch."""

    def __init__(self, name: str, args: IdleAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:IdleAlarm", name, None, opts)
        first = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        definition = pulumi.Output.from_input(args.identity_id).apply(
            lambda identity: idle_definition(args.machine_id, identity)
        )
        workflow = azure.logic.Workflow(
            f"{name}-end",
            workflow_name=workflow_name("idle", args.machine),
            resource_group_name=args.group,
            location=args.location,
            state="Enabled",
            identity=azure.logic.ManagedServiceIdentityArgs(
                type="UserAssigned", user_assigned_identities=[args.identity_id]
            ),
            definition=definition,
            tags=args.tags,
            opts=first,
        )
        # The address holds a signature: whoever has it can end this machine.
        address = azure.logic.list_workflow_trigger_callback_url_output(
            resource_group_name=args.group,
            workflow_name=workflow.name,
            trigger_name=TRIGGER,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[workflow]),
        ).apply(lambda found: found.value)
        told = azure.monitor.ActionGroup(
            f"{name}-ends",
            action_group_name=f"{args.stamp}-idle",
            resource_group_name=args.group,
            location="global",
            group_short_name="idle",
            enabled=True,
            logic_app_receivers=[
                azure.monitor.LogicAppReceiverArgs(
                    name="end",
                    resource_id=workflow.id,
                    callback_url=pulumi.Output.secret(address),
                    use_common_alert_schema=True,
                )
            ],
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        query_alarm(
            f"{name}-alarm",
            QueryAlarm(
                rule_name=f"{args.stamp}-idle",
                group=args.group,
                location=args.location,
                workspace_id=args.workspace_id,
                description=f"The GPU of {args.machine} has done nothing for {args.idle_minutes:g} minutes",
                query=idle_query(args.machine, args.idle_minutes, args.percent),
                every_minutes=LOOK_MINUTES,
                window_minutes=window_minutes(args.idle_minutes),
                action_groups=[told.id],
                # It calls as long as the GPU is idle: an end that failed is tried again.
                over_by_itself=False,
                tags=args.tags,
            ),
            first,
        )
        self.register_outputs({})


def window_minutes(idle_minutes: float) -> int:
    """How far a rule looks back to see that many minutes of idling, figures that come late included.

    Raises:
        ValueError: longer than any rule looks back.
    """
    wanted = _look_back(idle_minutes)
    fitting = [minutes for minutes in WINDOWS_MINUTES if minutes >= wanted]
    if not fitting:
        most = WINDOWS_MINUTES[-1] - LATE_MINUTES - LOOK_MINUTES
        raise ValueError(f"idle_minutes={idle_minutes:g} is more than an alert can see; at most {most}")
    return fitting[0]


def idle_query(machine: str, idle_minutes: float, percent: float) -> str:
    """One row if every five minutes of a whole idle time have figures, and none of them is a GPU at work.

    While a machine starts, and where its figures do not arrive, there is no row: nothing is known then, and the lease
    bounds a machine that never speaks.
    """
    slices = max(1, math.ceil(idle_minutes / LOOK_MINUTES))
    return (
        f"{GPU} | where TimeGenerated > ago({_look_back(idle_minutes)}m) and Host == '{machine}'"
        f" | summarize Busy = max(BusyPercent), Slices = dcount(bin(TimeGenerated, {LOOK_MINUTES}m)),"
        " First = min(TimeGenerated), Last = max(TimeGenerated)"
        f" | where Busy < {percent:g} and Slices >= {slices}"
        f" and Last - First >= {math.ceil(idle_minutes) - 1}m"
    )


def _look_back(idle_minutes: float) -> int:
    return math.ceil(idle_minutes) + LATE_MINUTES + LOOK_MINUTES
