"""The records of application and host: kept encrypted, counted, and shown on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.agent import DIMENSION, DISK, MEMORY
from infra.aws.dashboard import ERRORS, dashboard_body

ERROR_PATTERN = '{ ($.level = "ERROR") || ($.level = "CRITICAL") }'
"""Of the application's structured records."""
FULL_PERCENT = 90
ALARM_S = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsArgs:
    """What `Logs` are made from."""

    region: str
    group_name: str
    """Of the log group; among those that the key's policy names."""
    retention_days: int
    """One of those that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, ..."""
    key_arn: pulumi.Input[str]
    namespace: str
    """Of the stack's metrics."""
    machine_group: str
    """Name of the group whose machine is measured."""
    page_name: str
    """Of the dashboard."""
    tags: Mapping[str, pulumi.Input[str]]
    alarm_actions: Sequence[pulumi.Input[str]] = ()
    """Topics that are told; without any, the alarms only show."""


class Logs(pulumi.ComponentResource):
    """Log group, count of errors, alarms, dashboard."""

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Logs", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            f"{name}-records",
            name=args.group_name,
            kms_key_id=args.key_arn,
            retention_in_days=args.retention_days,
            tags=args.tags,
            opts=self._child,
        )
        aws.cloudwatch.LogMetricFilter(
            f"{name}-errors",
            name="errors",
            log_group_name=group.name,
            pattern=ERROR_PATTERN,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                name=ERRORS, namespace=args.namespace, value="1", default_value="0"
            ),
            opts=self._child,
        )
        self._alarm("errors", "The application has told of errors", ERRORS, threshold=1, of_machine=False)
        self._alarm("disk", f"A disk is more than {FULL_PERCENT} % full", DISK, threshold=FULL_PERCENT)
        self._alarm("memory", f"Memory is more than {FULL_PERCENT} % used", MEMORY, threshold=FULL_PERCENT)
        aws.cloudwatch.Dashboard(
            f"{name}-page",
            dashboard_name=args.page_name,
            dashboard_body=dashboard_body(args.region, args.namespace, args.machine_group, args.group_name),
            opts=self._child,
        )
        self.log_group_name: pulumi.Output[str] = group.name
        self.arn: pulumi.Output[str] = group.arn
        self.register_outputs({"logGroupName": self.log_group_name, "arn": self.arn})

    def _alarm(
        self, suffix: str, description: str, metric: str, *, threshold: int, of_machine: bool = True
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{suffix}-alarm",
            alarm_description=description,
            namespace=self._args.namespace,
            metric_name=metric,
            dimensions={DIMENSION: self._args.machine_group} if of_machine else None,
            statistic="Maximum" if of_machine else "Sum",
            period=ALARM_S,
            evaluation_periods=1,
            threshold=threshold,
            comparison_operator="GreaterThanOrEqualToThreshold",
            # No machine, no figures: nothing is wrong then.
            treat_missing_data="notBreaching",
            alarm_actions=list(self._args.alarm_actions),
            tags=self._args.tags,
            opts=self._child,
        )
