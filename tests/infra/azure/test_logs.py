"""Records and figures on Azure: where they go, in which columns, how much of them, and who is told."""

import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import infra.azure
from infra.azure.logs import COUNTERS, Logs
from infra.azure.tables import COLUMNS, GPU, RECORDS, SENT, TURNED, stream
from infra.azure.workbook import page
from tests.infra.azure.guard_things import LOGS, WORKSPACE
from tests.infra.azure.things import component
from tests.infra.declared import made, of_type

AZURE = Path(infra.azure.__file__).parent
RESERVED = {"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"}
"""Names that no column of a custom table may have."""


def test_a_day_has_its_limit_and_nobody_comes_with_a_key() -> None:
    (workspace,) = of_type(component("Logs"), "Workspace")
    assert workspace.inputs["workspaceCapping"] == {"dailyQuotaGb": 1.0}
    assert workspace.inputs["features"]["disableLocalAuth"] is True
    assert workspace.inputs["sku"] == {"name": "PerGB2018"}


@pytest.mark.parametrize(("days", "workspace_days"), [(4, 30), (30, 30), (90, 90), (730, 730)])
def test_rows_are_kept_as_long_as_is_said(days: int, workspace_days: int) -> None:
    declared = made(lambda: Logs("it", replace(LOGS, retention_days=days)))
    (workspace,) = of_type(declared, "Workspace")
    assert workspace.inputs["retentionInDays"] == workspace_days
    for table in of_type(declared, "Table"):
        assert table.inputs["retentionInDays"] == table.inputs["totalRetentionInDays"] == days


@pytest.mark.parametrize("days", [0, 3, 731])
def test_a_time_that_no_table_knows_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="must be 4 to 730"):
        made(lambda: Logs("it", replace(LOGS, retention_days=days)))


def test_each_table_has_a_stream_and_a_flow_that_fills_it() -> None:
    declared = component("Logs")
    (rule,) = of_type(declared, "DataCollectionRule")
    flows = {flow["streams"][0]: flow for flow in rule.inputs["dataFlows"]}
    (place,) = rule.inputs["destinations"]["logAnalytics"]
    for table in of_type(declared, "Table"):
        name = table.inputs["tableName"]
        assert table.urn in rule.after
        columns = {one["name"]: one["type"] for one in table.inputs["schema"]["columns"]}
        assert columns == COLUMNS[name]
        sent = {
            one["name"]: one["type"] for one in rule.inputs["streamDeclarations"][stream(name)]["columns"]
        }
        assert turned(sent, flows[stream(name)]["transformKql"]) == columns
        assert flows[stream(name)]["outputStream"] == stream(name)
    assert all(flow["destinations"] == [place["name"]] for flow in flows.values())


def turned(sent: dict[str, str], transform: str) -> dict[str, str]:
    """Columns after a transformation of the two kinds that there are."""
    head, *steps = [step.strip() for step in transform.split("|")]
    assert head == "source"
    columns = dict(sent)
    for step in steps:
        new, old = re.fullmatch(r"project-rename (\w+) = (\w+)", step).groups()  # type: ignore[union-attr]
        columns = {new if name == old else name: kind for name, kind in columns.items()}
    return columns


@pytest.mark.parametrize("table", COLUMNS)
def test_a_table_is_one_that_azure_takes(table: str) -> None:
    assert table.endswith("_CL")
    assert COLUMNS[table]["TimeGenerated"] == "datetime"
    assert not {name.lower() for name in COLUMNS[table]} & RESERVED
    assert set(COLUMNS[table].values()) <= {"string", "long", "int", "real", "boolean", "datetime", "dynamic"}
    assert TURNED.keys() == SENT.keys() == COLUMNS.keys()


def test_a_machine_sends_its_gpus_in_the_stream_s_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    # Beside each other in one folder and no package, as they lie on the machine.
    monkeypatch.setattr(sys, "path", [str(AZURE), *sys.path])
    row = importlib.import_module("machine_collect").gpu_row(
        "0, 97, 14000, 68.5, [N/A]", "night-0", "2026-11-28T12:00:00Z"
    )
    for name in ("machine_collect", "machine_calls"):
        sys.modules.pop(name)
    assert row.keys() == SENT[GPU].keys()
    kinds = {"datetime": str, "string": str, "real": float}
    assert all(value is None or isinstance(value, kinds[SENT[GPU][name]]) for name, value in row.items())


def test_the_addresses_are_of_the_rule_s_own_streams() -> None:
    told: dict[str, str] = {}

    def program() -> None:
        logs = Logs("it", LOGS)
        logs.log_address.apply(lambda text: told.update(records=text))
        logs.gpu_log_address.apply(lambda text: told.update(gpu=text))

    made(program)
    start = f"https://logs.ingest.monitor.azure.com/dataCollectionRules/dcr-{LOGS.stamp}/streams"
    assert told == {"records": f"{start}/Custom-{RECORDS}", "gpu": f"{start}/Custom-{GPU}"}


def test_the_agent_has_its_share_of_the_rule() -> None:
    (rule,) = of_type(component("Logs"), "DataCollectionRule")
    sources = rule.inputs["dataSources"]
    (counters,) = sources["performanceCounters"]
    assert counters["counterSpecifiers"] == list(COUNTERS)
    (system,) = sources["syslog"]
    assert "Debug" not in system["logLevels"]
    flown = {one for flow in rule.inputs["dataFlows"] for one in flow["streams"]}
    assert {*counters["streams"], *system["streams"]} <= flown


def test_who_is_told_of_errors_full_disks_and_full_memory() -> None:
    declared = component("Logs")
    told = declared["it-told"]
    assert [one["emailAddress"] for one in told.inputs["emailReceivers"]] == ["owner@example.com"]
    assert len(told.inputs["groupShortName"]) <= 12
    rules = of_type(declared, "ScheduledQueryRule")
    assert {rule.name for rule in rules} == {"it-errors-alarm", "it-disk-alarm", "it-memory-alarm"}
    assert all(told.urn in rule.after for rule in rules)
    silent = made(lambda: Logs("it", replace(LOGS, email=None)))
    assert "it-told" not in silent
    for rule in of_type(silent, "ScheduledQueryRule"):
        assert rule.inputs["actions"] == {"actionGroups": []}


def test_alarms_and_page_ask_for_columns_that_there_are() -> None:
    declared = component("Logs")
    asked = [one.inputs["criteria"]["allOf"][0]["query"] for one in of_type(declared, "ScheduledQueryRule")]
    asked += [item["content"]["query"] for item in json.loads(page(WORKSPACE))["items"]]
    perf = {"TimeGenerated", "ObjectName", "CounterName", "CounterValue"}
    counted = {tuple(counter.replace("(*)", "").split("\\")) for counter in COUNTERS}
    for query in asked:
        bare = re.sub(r'"[^"]*"', "", query)
        tables = {table for table in COLUMNS if re.search(rf"\b{table}\b", query)}
        known = {column for table in tables for column in COLUMNS[table]} | (
            perf if "Perf" in bare else set()
        )
        named = set(re.findall(r"\b[A-Z]\w+\b", bare)) - tables - {"Perf"}
        assert named <= known, query
        for pair in re.findall(r'ObjectName == "([^"]+)" and CounterName == "([^"]+)"', query):
            assert pair in counted
