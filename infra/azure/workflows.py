"""Workflows of Logic Apps that end one machine, as Azure takes them. Pure.

Source: workflow definition language schema 2016-06-01 and the trigger and action reference of Logic Apps (Recurrence,
Request, Http, managed identity authentication, asynchronous pattern), read 2026-11.
"""

from typing import Any

SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"
ARM = "https://management.azure.com"
MACHINE_API = "2024-07-01"
"""Of Microsoft.Compute/virtualMachines."""
AGAIN_MINUTES = 15
TRIGGER = "called"
"""Of the workflow that is called by an alert: its address is asked of Azure by this name."""
LONGEST_NAME = 43
"""Of a workflow. Source: naming rules of Microsoft.Logic."""


def workflow_name(kind: str, machine: str) -> str:
    """Another machine has another workflow, so that the old machine keeps its end until it is gone.

    The end of a machine's name, its job and its try, is what tells it apart within a stack's group.
    """
    return f"{kind}-{machine[-(LONGEST_NAME - len(kind) - 1) :].lstrip('-')}"


def deadline_definition(machine_id: str, identity_id: str, lease_until: str) -> dict[str, Any]:
    """Ends the machine when its lease ends, and again every quarter of an hour after it.

    Args:
        machine_id: ARM id of the machine, which need not exist yet.
        identity_id: ARM id of the user-assigned identity that asks for it.
        lease_until: 2026-11-28T12:00:00Z. A recurrence without a start would begin at once; with the Z it has no time
            zone of its own.
    """
    return _definition(
        {
            "lease_end": {
                "type": "Recurrence",
                "recurrence": {"frequency": "Minute", "interval": AGAIN_MINUTES, "startTime": lease_until},
            }
        },
        machine_id,
        identity_id,
    )


def idle_definition(machine_id: str, identity_id: str) -> dict[str, Any]:
    """Ends the machine when an alert calls; an alert that is over calls too, and then nothing happens."""
    fired = "@equals(triggerBody()?['data']?['essentials']?['monitorCondition'], 'Fired')"
    return _definition(
        {
            TRIGGER: {
                "type": "Request",
                "kind": "Http",
                "inputs": {"schema": {}},
                "conditions": [{"expression": fired}],
            }
        },
        machine_id,
        identity_id,
    )


def _definition(trigger: dict[str, Any], machine_id: str, identity_id: str) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {},
        "triggers": trigger,
        "actions": {"end_machine": _end(machine_id, identity_id)},
        "outputs": {},
    }


def _end(machine_id: str, identity_id: str) -> dict[str, Any]:
    """ARM's DELETE of the machine, whose disk and network interface go with it. One that is gone answers 204."""
    return {
        "type": "Http",
        "runAfter": {},
        "inputs": {
            "method": "DELETE",
            "uri": f"{ARM}{machine_id}?api-version={MACHINE_API}",
            "authentication": {
                "type": "ManagedServiceIdentity",
                "identity": identity_id,
                "audience": f"{ARM}/",
            },
            "retryPolicy": {"type": "fixed", "count": 4, "interval": "PT30S"},
        },
        # Else it would follow 202 to an operation's address, for which its identity has no right, and call it a
        # failure.
        "operationOptions": "DisableAsyncPattern",
    }
