"""The switches outside the machine: who may end it, when they do, and that they never do too early."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.azure.end_right import EndRight
from infra.azure.guard import (
    LONGEST_LEASE_H,
    SHUTDOWN_AFTER,
    Deadline,
    shutdown_fits,
    shutdown_time,
)
from infra.azure.idle_alarm import IdleAlarm, idle_query, window_minutes
from infra.azure.names import machine_name, part_id
from infra.azure.tables import COLUMNS, GPU
from infra.azure.workflows import (
    ARM,
    LONGEST_NAME,
    SCHEMA,
    TRIGGER,
    deadline_definition,
    idle_definition,
    workflow_name,
)
from stacks.mock_azure import SUBSCRIPTION
from stacks.mock_run import SHOWN_SECRET
from tests.infra.azure.guard_things import (
    DEADLINE,
    GROUP_ID,
    IDENTITY,
    IDLE,
    MACHINE,
    MACHINE_ID,
    RIGHT,
    STAMP,
    UNTIL,
    may,
)
from tests.infra.azure.things import component
from tests.infra.declared import made, of_type

SWITCHES = f"{STAMP}-switches"
moments = st.datetimes(
    min_value=datetime(2024, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("action", "target", "allowed"),
    [
        ("Microsoft.Compute/virtualMachines/delete", MACHINE_ID, True),
        ("Microsoft.Compute/virtualMachines/read", MACHINE_ID, True),
        ("Microsoft.Compute/virtualMachines/write", MACHINE_ID, False),
        ("Microsoft.Compute/virtualMachines/start/action", MACHINE_ID, False),
        ("Microsoft.Compute/virtualMachines/runCommand/action", MACHINE_ID, False),
        ("Microsoft.Compute/virtualMachines/delete", MACHINE_ID.replace(GROUP_ID, f"{GROUP_ID}-else"), False),
        (
            "Microsoft.Compute/disks/delete",
            part_id(SUBSCRIPTION, STAMP, "Microsoft.Compute/disks", "d"),
            False,
        ),
        ("Microsoft.Resources/subscriptions/resourceGroups/delete", GROUP_ID, False),
        ("Microsoft.Storage/storageAccounts/delete", f"{GROUP_ID}/x", False),
        ("Microsoft.Authorization/roleAssignments/write", GROUP_ID, False),
    ],
)
def test_the_switches_end_machines_of_their_group_and_do_nothing_else(
    action: str, target: str, allowed: bool
) -> None:
    declared = component("EndRight")
    assert may(declared, SWITCHES, action, target) is allowed


def test_the_right_is_one_role_of_the_group_alone_and_no_data_action() -> None:
    declared = component("EndRight")
    (role,) = of_type(declared, "RoleDefinition")
    assert role.inputs["assignableScopes"] == [role.inputs["scope"]] == [GROUP_ID]
    (permission,) = role.inputs["permissions"]
    assert not any("*" in action for action in permission["actions"])
    assert permission["dataActions"] == []
    (right,) = of_type(declared, "RoleAssignment")
    assert role.urn in right.after
    assert right.inputs["scope"] == GROUP_ID


def test_a_timer_is_armed_with_the_identity_that_has_the_right_and_after_it() -> None:
    def program() -> None:
        right = EndRight("right", RIGHT)
        Deadline("timer", replace(DEADLINE, identity_id=right.identity_id, after=(right,)))

    declared = made(program)
    timer, identity = declared["timer-timer"], declared["right-identity"]
    assert declared["right-right"].urn in timer.after
    (used,) = timer.inputs["identity"]["userAssignedIdentities"]
    assert used.endswith(identity.inputs["resourceName"])
    assert timer.inputs["identity"]["type"] == "UserAssigned"
    (action,) = timer.inputs["definition"]["actions"].values()
    assert action["inputs"]["authentication"]["identity"] == used


@pytest.mark.parametrize(
    "definition",
    [deadline_definition(MACHINE_ID, IDENTITY, UNTIL), idle_definition(MACHINE_ID, IDENTITY)],
    ids=["deadline", "idle"],
)
def test_a_workflow_is_in_logic_apps_own_language(definition: dict[str, Any]) -> None:
    assert definition["$schema"] == SCHEMA
    assert definition.keys() <= {"$schema", "contentVersion", "parameters", "triggers", "actions", "outputs"}
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", definition["contentVersion"])
    (trigger,) = definition["triggers"].values()
    assert trigger["type"] in {"Recurrence", "Request"}
    (action,) = definition["actions"].values()
    assert (action["type"], action["runAfter"]) == ("Http", {})
    # Else it would ask for the operation's state, for which there is no right, and fail.
    assert action["operationOptions"] == "DisableAsyncPattern"
    sent = action["inputs"]
    assert sent["method"] == "DELETE"
    assert re.fullmatch(re.escape(ARM + MACHINE_ID) + r"\?api-version=\d{4}-\d\d-\d\d", sent["uri"])
    assert sent["authentication"] == {
        "type": "ManagedServiceIdentity",
        "identity": IDENTITY,
        "audience": "https://management.azure.com/",
    }
    for name in [*definition["triggers"], *definition["actions"]]:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)


@given(moments)
def test_the_timer_never_begins_before_the_lease_ends(until: datetime) -> None:
    (trigger,) = deadline_definition(MACHINE_ID, IDENTITY, text(until))["triggers"].values()
    rhythm = trigger["recurrence"]
    # Without a start a recurrence begins as soon as it is made.
    assert datetime.fromisoformat(rhythm["startTime"]) == until
    assert "timeZone" not in rhythm
    assert (rhythm["frequency"], rhythm["interval"]) == ("Minute", 15)


def test_the_timer_is_the_machine_s_own_so_that_the_old_one_keeps_its_end() -> None:
    names = {workflow_name("end", machine_name(STAMP, job, attempt)) for job in "ab" for attempt in range(3)}
    assert len(names) == 6
    longest = machine_name("s" * 60, "job", 12)
    assert len(workflow_name("idle", longest)) <= LONGEST_NAME
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", workflow_name("idle", longest))
    assert workflow_name("idle", longest).endswith(longest[-12:])


@given(start=moments, seconds=st.integers(60, int(LONGEST_LEASE_H * 3600)), made_after=st.floats(0, 1))
def test_the_daily_shutdown_never_comes_before_the_deadline(
    start: datetime, seconds: int, made_after: float
) -> None:
    until = start + timedelta(seconds=seconds)
    assert shutdown_fits(seconds / 3600)
    made_at = start + timedelta(seconds=int(seconds * made_after))
    first = first_after(made_at, shutdown_time(text(until)))
    assert until <= first <= until + SHUTDOWN_AFTER


@given(start=moments, hours=st.floats(23.6, 1000))
def test_in_a_longer_lease_it_would_and_is_not_declared(start: datetime, hours: float) -> None:
    assert not shutdown_fits(hours)
    until = start + timedelta(hours=hours)
    assert first_after(start, shutdown_time(text(until))) < until


def first_after(moment: datetime, hhmm: str) -> datetime:
    """When a daily schedule made at a moment comes for the first time."""
    today = moment.replace(hour=int(hhmm[:2]), minute=int(hhmm[2:]), second=0)
    return today if today >= moment else today + timedelta(days=1)


def test_the_daily_shutdown_has_azure_s_one_name_and_the_machine_as_its_target() -> None:
    (schedule,) = of_type(component("DailyShutdown"), "GlobalSchedule")
    assert schedule.inputs["name"] == f"shutdown-computevm-{MACHINE}"
    assert schedule.inputs["targetResourceId"] == MACHINE_ID
    assert schedule.inputs["dailyRecurrence"] == {"time": "1230"}
    assert (schedule.inputs["timeZoneId"], schedule.inputs["status"]) == ("UTC", "Enabled")


def test_an_idle_gpu_reaches_the_workflow_that_deletes() -> None:
    declared = component("IdleAlarm")
    rule, told, workflow = (declared[f"it-{what}"] for what in ("alarm", "ends", "end"))
    (reached,) = rule.inputs["actions"]["actionGroups"]
    assert reached.endswith(told.inputs["actionGroupName"])
    assert workflow.urn in told.after
    assert list(workflow.inputs["definition"]["triggers"]) == [TRIGGER]
    assert rule.inputs["autoMitigate"] is False
    # Its address is a key to the machine's end.
    assert told.inputs["logicAppReceivers"] == SHOWN_SECRET
    assert "planted-signature" not in str([one.inputs for one in declared.values()])


def test_an_alarm_that_is_over_ends_nothing() -> None:
    (trigger,) = idle_definition(MACHINE_ID, IDENTITY)["triggers"].values()
    (condition,) = trigger["conditions"]
    assert condition["expression"].endswith("['monitorCondition'], 'Fired')")


def test_the_question_is_of_this_machine_and_of_columns_that_there_are() -> None:
    query = idle_query(MACHINE, 20, 5)
    assert query.startswith(GPU)
    assert f"Host == '{MACHINE}'" in query
    made_up = {"Busy", "Slices", "First", "Last"}
    named = set(re.findall(r"\b[A-Z][A-Za-z]+\b", query.replace(f"'{MACHINE}'", "")))
    assert named - made_up - {GPU.removesuffix("_CL")} <= COLUMNS[GPU].keys()
    assert "ago(30m)" in query
    assert "Slices >= 4" in query
    assert "Busy < 5" in query


@given(st.floats(1, 2870))
def test_the_rule_looks_back_as_far_as_its_question(idle_minutes: float) -> None:
    asked = int(re.findall(r"ago\((\d+)m\)", idle_query(MACHINE, idle_minutes, 5))[0])
    assert idle_minutes < asked <= window_minutes(idle_minutes)


def test_an_idle_time_that_no_alarm_sees_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 2870"):
        made(lambda: IdleAlarm("it", replace(IDLE, idle_minutes=3000)))


def test_the_budget_is_of_the_group_and_its_start_stays() -> None:
    (budget,) = of_type(component("MonthlyBudget"), "Budget")
    assert budget.inputs["scope"] == GROUP_ID
    assert budget.inputs["timePeriod"] == {"startDate": "2026-11-01T00:00:00Z"}
    assert budget.ignored == ("timePeriod",)
    told = {
        (one["thresholdType"], one["threshold"]): one["contactEmails"]
        for one in budget.inputs["notifications"].values()
    }
    assert told == {
        ("Actual", 80.0): ["owner@example.com"],
        ("Forecasted", 100.0): ["owner@example.com"],
    }
