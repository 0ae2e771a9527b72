"""The records of application and host: a workspace with a cap, its tables, and the one rule that fills them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure

from infra.azure.query_alarm import QueryAlarm, query_alarm
from infra.azure.tables import COLUMNS, GPU, RECORDS, SENT, TURNED, stream, stream_address
from infra.azure.workbook import DISK_FIGURES, ERRORS, FULL_PERCENT, MEMORY_FIGURES, page

SHORTEST_DAYS, LONGEST_DAYS = 4, 730
"""That a table keeps its rows. Source: Tables - Create Or Update, Log Analytics, 2023-09-01."""
WORKSPACE_DAYS = 30
"""At least, of a workspace by the gigabyte; what a table says for itself goes first."""
WORKSPACE = "workspace"
COUNTERS = (r"Processor(*)\% Processor Time", r"Memory(*)\% Used Memory", r"Logical Disk(*)\% Used Space")
COUNTED_EVERY_S = 60
ALARM_MINUTES = 15
FACILITIES = ("auth", "authpriv", "daemon", "kern", "syslog", "user")
LEVELS = ("Warning", "Error", "Critical", "Alert", "Emergency")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsArgs:
    """What `Logs` are made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    stamp: str
    retention_days: int
    """4 to 730."""
    daily_gb: float
    """What the workspace takes in on one day; what comes after it is lost, and not billed."""
    tags: Mapping[str, pulumi.Input[str]]
    email: str | None = None
    """Who is told of errors; None for nobody."""


class Logs(pulumi.ComponentResource):
    """Workspace, tables, endpoint, rule, and whom alarms tell.

    A workspace's own storage is encrypted by Microsoft's key: the stack's would need a cluster that takes 100 GB a
    day.
    """

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not SHORTEST_DAYS <= args.retention_days <= LONGEST_DAYS:
            raise ValueError(
                f"retention_days={args.retention_days} must be {SHORTEST_DAYS} to {LONGEST_DAYS} for a table's rows"
            )
        super().__init__("sonarstack:azure:Logs", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        workspace = self._workspace()
        tables = [self._table(workspace, table) for table in COLUMNS]
        endpoint, rule = self._rule(workspace, tables)
        self.tables: Sequence[pulumi.Resource] = tables
        self.workspace_id: pulumi.Output[str] = workspace.id
        self.rule_id: pulumi.Output[str] = rule.id
        ingestion = endpoint.logs_ingestion.apply(lambda found: str(found.endpoint if found else ""))
        self.log_address: pulumi.Output[str] = _address(ingestion, rule, RECORDS)
        self.gpu_log_address: pulumi.Output[str] = _address(ingestion, rule, GPU)
        told = self._told()
        self._alarm("errors", "The application has told of errors", ERRORS, told)
        for what, figures in (("disk", DISK_FIGURES), ("memory", MEMORY_FIGURES)):
            words = f"More than {FULL_PERCENT} % of the {what} is used"
            self._alarm(what, words, f"{figures} | where CounterValue >= {FULL_PERCENT}", told)
        self._page(workspace)
        self.register_outputs({"logAddress": self.log_address, "ruleId": self.rule_id})

    def _workspace(self) -> azure.operationalinsights.Workspace:
        args = self._args
        return azure.operationalinsights.Workspace(
            f"{self._name}-workspace",
            workspace_name=args.stamp,
            resource_group_name=args.group,
            location=args.location,
            sku=azure.operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=max(WORKSPACE_DAYS, args.retention_days),
            workspace_capping=azure.operationalinsights.WorkspaceCappingArgs(daily_quota_gb=args.daily_gb),
            # Nobody writes or reads with a key: only with a role.
            features=azure.operationalinsights.WorkspaceFeaturesArgs(
                disable_local_auth=True, enable_log_access_using_only_resource_permissions=True
            ),
            tags=args.tags,
            opts=self._child,
        )

    def _table(
        self, workspace: azure.operationalinsights.Workspace, table: str
    ) -> azure.operationalinsights.Table:
        return azure.operationalinsights.Table(
            f"{self._name}-{table.removesuffix('_CL').lower()}",
            table_name=table,
            workspace_name=workspace.name,
            resource_group_name=self._args.group,
            plan="Analytics",
            retention_in_days=self._args.retention_days,
            total_retention_in_days=self._args.retention_days,
            schema=azure.operationalinsights.SchemaArgs(
                name=table,
                columns=[
                    azure.operationalinsights.ColumnArgs(name=name, type=kind)
                    for name, kind in COLUMNS[table].items()
                ],
            ),
            opts=self._child,
        )

    def _rule(
        self, workspace: azure.operationalinsights.Workspace, tables: Sequence[pulumi.Resource]
    ) -> tuple[azure.monitor.DataCollectionEndpoint, azure.monitor.DataCollectionRule]:
        args = self._args
        endpoint = azure.monitor.DataCollectionEndpoint(
            f"{self._name}-endpoint",
            data_collection_endpoint_name=args.stamp,
            resource_group_name=args.group,
            location=args.location,
            # A name that everybody can reach, and where only a role lets in.
            network_acls=azure.monitor.DataCollectionEndpointNetworkAclsArgs(public_network_access="Enabled"),
            tags=args.tags,
            opts=self._child,
        )
        rule = azure.monitor.DataCollectionRule(
            f"{self._name}-rule",
            data_collection_rule_name=args.stamp,
            resource_group_name=args.group,
            location=args.location,
            data_collection_endpoint_id=endpoint.id,
            stream_declarations={
                stream(table): azure.monitor.StreamDeclarationArgs(
                    columns=[
                        azure.monitor.ColumnDefinitionArgs(name=name, type=kind)
                        for name, kind in columns.items()
                    ]
                )
                for table, columns in SENT.items()
            },
            data_sources=_sources(),
            destinations=azure.monitor.DataCollectionRuleDestinationsArgs(
                log_analytics=[
                    azure.monitor.LogAnalyticsDestinationArgs(
                        name=WORKSPACE, workspace_resource_id=workspace.id
                    )
                ]
            ),
            data_flows=[
                *(
                    azure.monitor.DataFlowArgs(
                        streams=[stream(table)],
                        destinations=[WORKSPACE],
                        transform_kql=turned,
                        output_stream=stream(table),
                    )
                    for table, turned in TURNED.items()
                ),
                azure.monitor.DataFlowArgs(
                    streams=["Microsoft-Perf", "Microsoft-Syslog"], destinations=[WORKSPACE]
                ),
            ],
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(tables)),
        )
        return endpoint, rule

    def _alarm(self, what: str, words: str, query: str, told: Sequence[pulumi.Input[str]]) -> None:
        query_alarm(
            f"{self._name}-{what}-alarm",
            QueryAlarm(
                rule_name=f"{self._args.stamp}-{what}",
                group=self._args.group,
                location=self._args.location,
                workspace_id=self.workspace_id,
                description=words,
                query=query,
                every_minutes=ALARM_MINUTES,
                window_minutes=ALARM_MINUTES,
                action_groups=told,
                over_by_itself=True,
                tags=self._args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=list(self.tables)),
        )

    def _page(self, workspace: azure.operationalinsights.Workspace) -> None:
        azure.applicationinsights.Workbook(
            f"{self._name}-page",
            # Azure wants a name of this form, and shows the other.
            resource_name_=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._args.stamp}/page")),
            display_name=self._args.stamp,
            resource_group_name=self._args.group,
            location=self._args.location,
            kind="shared",
            category="workbook",
            source_id=workspace.id,
            serialized_data=workspace.id.apply(page),
            tags=self._args.tags,
            opts=self._child,
        )

    def _told(self) -> list[pulumi.Input[str]]:
        """Whom alarms tell: nobody, where there is no address."""
        if self._args.email is None:
            return []
        group = azure.monitor.ActionGroup(
            f"{self._name}-told",
            action_group_name=self._args.stamp,
            resource_group_name=self._args.group,
            location="global",
            group_short_name="sonarstack",
            enabled=True,
            email_receivers=[
                azure.monitor.MicrosoftCommonEmailReceiverArgs(
                    name="owner", email_address=self._args.email, use_common_alert_schema=True
                )
            ],
            tags=self._args.tags,
            opts=self._child,
        )
        return [group.id]


def _sources() -> azure.monitor.DataCollectionRuleDataSourcesArgs:
    """What the agent collects by itself, on a machine that the rule is associated with."""
    return azure.monitor.DataCollectionRuleDataSourcesArgs(
        performance_counters=[
            azure.monitor.PerfCounterDataSourceArgs(
                name="machine",
                counter_specifiers=list(COUNTERS),
                sampling_frequency_in_seconds=COUNTED_EVERY_S,
                streams=["Microsoft-Perf"],
            )
        ],
        syslog=[
            azure.monitor.SyslogDataSourceArgs(
                name="system",
                facility_names=list(FACILITIES),
                log_levels=list(LEVELS),
                streams=["Microsoft-Syslog"],
            )
        ],
    )


def _address(
    endpoint: pulumi.Output[str], rule: azure.monitor.DataCollectionRule, table: str
) -> pulumi.Output[str]:
    return pulumi.Output.all(endpoint=endpoint, rule=rule.immutable_id).apply(
        lambda known: stream_address(known["endpoint"], known["rule"], table)
    )
