"""An alarm that is a question to a workspace, asked again and again: it speaks where there is an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryAlarm:
    """One alarm."""

    rule_name: str
    group: pulumi.Input[str]
    location: str
    workspace_id: pulumi.Input[str]
    description: str
    query: str
    """Any row is an alarm."""
    every_minutes: int
    """A quarter of an hour costs $0.50 a month, five minutes $1.50."""
    window_minutes: int
    """How far back it looks."""
    action_groups: Sequence[pulumi.Input[str]]
    """Who is told; without any, the alarm only shows."""
    over_by_itself: bool
    """Whether it is told once and again when it is over; else at every look, as long as there is a row."""
    tags: Mapping[str, pulumi.Input[str]]


def query_alarm(
    name: str, alarm: QueryAlarm, opts: pulumi.ResourceOptions
) -> azure.monitor.ScheduledQueryRule:
    """Declare it."""
    return azure.monitor.ScheduledQueryRule(
        name,
        rule_name=alarm.rule_name,
        resource_group_name=alarm.group,
        location=alarm.location,
        kind="LogAlert",
        description=alarm.description,
        enabled=True,
        severity=2,
        scopes=[alarm.workspace_id],
        evaluation_frequency=duration(alarm.every_minutes),
        window_size=duration(alarm.window_minutes),
        criteria=azure.monitor.ScheduledQueryRuleCriteriaArgs(
            all_of=[
                azure.monitor.ConditionArgs(
                    query=alarm.query,
                    time_aggregation="Count",
                    operator="GreaterThan",
                    threshold=0.0,
                    failing_periods=azure.monitor.ConditionFailingPeriodsArgs(
                        min_failing_periods_to_alert=1, number_of_evaluation_periods=1
                    ),
                )
            ]
        ),
        auto_mitigate=alarm.over_by_itself,
        # A table that was made a moment ago is not yet known to whoever checks the query.
        skip_query_validation=True,
        actions=azure.monitor.ActionsArgs(action_groups=list(alarm.action_groups)),
        tags=alarm.tags,
        opts=opts,
    )


def duration(minutes: int) -> str:
    """As Azure writes it back: PT15M, PT2H, P1D."""
    if minutes % 1440 == 0:
        return f"P{minutes // 1440}D"
    return f"PT{minutes // 60}H" if minutes % 60 == 0 else f"PT{minutes}M"
