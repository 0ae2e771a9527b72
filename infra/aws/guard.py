"""The switches outside the machine: a timer that exists before it, an alarm on its GPU, and a budget that tells."""

import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.agent import DIMENSION, GPU_BUSY
from infra.aws.group import end_request, group_arn
from infra.aws.owned import STAMP
from infra.aws.policies import RESIZE, document, trust_document

END_CALL = "arn:aws:scheduler:::aws-sdk:autoscaling:updateAutoScalingGroup"
"""EventBridge Scheduler's universal target. Source: scheduler user guide, `using universal targets`."""
ALARM_MINUTES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineArgs:
    """What a `Deadline` is made from."""

    group: str
    """Name of the group, which need not exist yet."""
    account_id: str
    region: str
    lease_until: pulumi.Input[str]
    """2026-11-28T12:00:00Z."""
    boundary_arn: pulumi.Input[str] | None = None


class Deadline(pulumi.ComponentResource):
    """Ends the group when its lease does, and again every quarter of an hour after it.

    Whoever creates the group makes it depend on this: no crash in between leaves a machine without an end.
    """

    def __init__(self, name: str, args: DeadlineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Deadline", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = group_arn(args.account_id, args.region, args.group)
        role = aws.iam.Role(
            f"{name}-role",
            description="Ends one group of machines, and may do nothing else",
            assume_role_policy=trust_document(
                "scheduler.amazonaws.com", {"StringEquals": {"aws:SourceAccount": args.account_id}}
            ),
            permissions_boundary=args.boundary_arn,
            opts=child,
        )
        right = aws.iam.RolePolicy(
            f"{name}-right",
            role=role.name,
            policy=document({"Effect": "Allow", "Action": RESIZE, "Resource": group}),
            opts=child,
        )
        until = pulumi.Output.from_input(args.lease_until).apply(lambda text: text.removesuffix("Z"))
        armed = pulumi.ResourceOptions(parent=self, depends_on=[right])

        def schedule(suffix: str, expression: pulumi.Input[str], start: pulumi.Input[str] | None) -> None:
            aws.scheduler.Schedule(
                f"{name}-{suffix}",
                description=f"Ends the machines of {args.group}",
                schedule_expression=expression,
                schedule_expression_timezone="UTC",
                start_date=start,
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
                target=aws.scheduler.ScheduleTargetArgs(
                    arn=END_CALL, role_arn=role.arn, input=end_request(args.group)
                ),
                opts=armed,
            )

        schedule("at", until.apply(lambda text: f"at({text})"), None)
        schedule("again", "rate(15 minutes)", args.lease_until)
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True, slots=True)
class IdleAlarmArgs:
    """What an `IdleAlarm` is made from."""

    group: pulumi.Input[str]
    """Of the group itself, which must be there."""
    namespace: str
    """Of the metrics agent."""
    idle_minutes: float
    percent: float = 5.0


class IdleAlarm(pulumi.ComponentResource):
    """Ends the group's machine when its GPU has done next to nothing; the program's own look is the first switch.

    An alarm's own action can only end an instance whose id it names, and a group's instances come and go: a scaling
    policy to exactly 0 machines ends whichever there is.
    """

    def __init__(self, name: str, args: IdleAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:IdleAlarm", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        none = aws.autoscaling.Policy(
            f"{name}-none",
            autoscaling_group_name=args.group,
            policy_type="SimpleScaling",
            adjustment_type="ExactCapacity",
            scaling_adjustment=0,
            opts=child,
        )
        aws.cloudwatch.MetricAlarm(
            f"{name}-alarm",
            alarm_description=pulumi.Output.format(
                "The GPU of {0} has done nothing for {1} minutes", args.group, f"{args.idle_minutes:g}"
            ),
            namespace=args.namespace,
            metric_name=GPU_BUSY,
            dimensions={DIMENSION: args.group},
            statistic="Maximum",
            period=ALARM_MINUTES * 60,
            evaluation_periods=max(1, math.ceil(args.idle_minutes / ALARM_MINUTES)),
            threshold=args.percent,
            comparison_operator="LessThanThreshold",
            # While a machine starts there are no figures; the lease bounds one whose agent never speaks.
            treat_missing_data="notBreaching",
            alarm_actions=[none.arn],
            opts=child,
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlyBudgetArgs:
    """What a `MonthlyBudget` is made from."""

    stamp: str
    limit_usd: float
    email: str


class MonthlyBudget(pulumi.ComponentResource):
    """Writes a mail when the month's bill of this stack nears its limit. Hours late: a net, and no switch.

    Only counts once the tag is activated for cost allocation in the billing console.
    """

    def __init__(
        self, name: str, args: MonthlyBudgetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:aws:MonthlyBudget", name, None, opts)
        aws.budgets.Budget(
            f"{name}-budget",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{args.limit_usd:.2f}",
            limit_unit="USD",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:{STAMP}${args.stamp}"])
            ],
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=threshold,
                    threshold_type="PERCENTAGE",
                    subscriber_email_addresses=[args.email],
                )
                for kind, threshold in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
