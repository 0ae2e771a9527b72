"""What matters about the machine, its records and its switches on Azure, in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Facts = list[str]
UNKNOWN = "[known only after up]"
LOGS_USD_PER_GB = 2.3
"""Of analytics tables. Source: Azure Monitor's list prices as told by others (monitoringcost.com), 2026-11."""


def _machine(inputs: Mapping[str, Any]) -> Facts:
    return [*_rented(inputs), *_disk(inputs), *_start(inputs), *_ways_in(inputs)]


def _rented(inputs: Mapping[str, Any]) -> Iterator[str]:
    size = (inputs.get("hardwareProfile") or {}).get("vmSize")
    bid = (inputs.get("billingProfile") or {}).get("maxPrice")
    if inputs.get("priority") != "Spot":
        yield f"{size}, on demand"
        return
    limit = "without a limit" if bid is None or bid < 0 else f"at most ${bid:g} an hour"
    yield f"{size}, spot, {limit}"
    if inputs.get("evictionPolicy") != "Delete":
        yield "its disk stays and bills when it is taken away"


def _disk(inputs: Mapping[str, Any]) -> Iterator[str]:
    disk = (inputs.get("storageProfile") or {}).get("osDisk") or {}
    managed = disk.get("managedDisk") or {}
    by_key = "encrypted by the stack's key" if managed.get("diskEncryptionSet") else "by Azure's key only"
    yield f"{disk.get('diskSizeGB', 0):g} GiB {managed.get('storageAccountType')}, {by_key}"
    if disk.get("deleteOption") == "Delete":
        yield "deleting it deletes its disk"
    else:
        yield "its disk stays"
    if (inputs.get("securityProfile") or {}).get("encryptionAtHost"):
        yield "encrypted on its host too"


def _start(inputs: Mapping[str, Any]) -> Iterator[str]:
    security = inputs.get("securityProfile") or {}
    if security.get("securityType") == "TrustedLaunch":
        signed = (security.get("uefiSettings") or {}).get("secureBootEnabled")
        yield "Secure Boot" if signed else "virtual TPM, without Secure Boot: NVIDIA's modules are not signed"


def _ways_in(inputs: Mapping[str, Any]) -> Iterator[str]:
    linux = (inputs.get("osProfile") or {}).get("linuxConfiguration") or {}
    yield "SSH by key only" if linux.get("disablePasswordAuthentication") else "passwords are taken"
    cards = (inputs.get("networkProfile") or {}).get("networkInterfaceConfigurations") or ()
    addresses = [
        one.get("publicIPAddressConfiguration")
        for card in cards
        for one in card.get("ipConfigurations") or ()
    ]
    yield "has a public address" if any(addresses) else "no public address"


def _extension(inputs: Mapping[str, Any]) -> Facts:
    kept = "; a failure does not end the run" if inputs.get("suppressFailures") else ""
    return [f"{inputs.get('publisher')}.{inputs.get('type')}{kept}"]


def _schedule(inputs: Mapping[str, Any]) -> Facts:
    time = str((inputs.get("dailyRecurrence") or {}).get("time"))
    when = "half an hour after the lease" if time == UNKNOWN else f"{time} {inputs.get('timeZoneId')}"
    return [f"releases the machine every day at {when}, and leaves its disk; the last net"]


def _workflow(inputs: Mapping[str, Any]) -> Facts:
    definition = inputs.get("definition")
    if not isinstance(definition, Mapping):
        return ["deletes the machine at the lease's end, or when an alarm calls; under a cent a day"]
    deletes = any(
        (action.get("inputs") or {}).get("method") == "DELETE"
        for action in (definition.get("actions") or {}).values()
    )
    does = "deletes the machine" if deletes else "does NOT delete the machine"
    return [
        f"{does} {_when(trigger)}; under a cent a day"
        for trigger in (definition.get("triggers") or {}).values()
    ]


def _when(trigger: Mapping[str, Any]) -> str:
    if trigger.get("type") != "Recurrence":
        return "when the alarm calls"
    rhythm = trigger.get("recurrence") or {}
    start = rhythm.get("startTime")
    again = f"then every {rhythm.get('interval', 0):g} {str(rhythm.get('frequency')).lower()}s"
    return f"at {start}, {again}" if start else f"AT ONCE, {again}"


def _alarm(inputs: Mapping[str, Any]) -> Facts:
    acts = "" if (inputs.get("actions") or {}).get("actionGroups") else "; only shows"
    often = inputs.get("evaluationFrequency")
    price = {"PT5M": "; $1.50 a month", "PT15M": "; $0.50 a month"}.get(str(often), "")
    return [f"{inputs.get('description')}{acts}{price}"]


def _told(inputs: Mapping[str, Any]) -> Facts:
    mails = inputs.get("emailReceivers") or ()
    facts = [f"writes to {one.get('emailAddress')}" for one in mails]
    return facts or ["calls the workflow that deletes the machine"]


def _workspace(inputs: Mapping[str, Any]) -> Facts:
    cap = (inputs.get("workspaceCapping") or {}).get("dailyQuotaGb")
    locked = (inputs.get("features") or {}).get("disableLocalAuth")
    return [
        f"kept {inputs.get('retentionInDays', 0):g} days",
        f"at most {cap:g} GB a day, about ${LOGS_USD_PER_GB:g} a GB" if cap and cap > 0 else "NO daily limit",
        "by roles only" if locked else "keys work",
        "encrypted by Azure's key",
    ]


def _table(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('tableName')}, rows kept {inputs.get('retentionInDays', 0):g} days"]


def _rule(inputs: Mapping[str, Any]) -> Facts:
    streams = [one for flow in inputs.get("dataFlows") or () for one in flow.get("streams") or ()]
    return [f"takes {', '.join(streams)}"]


def _page(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('displayName')}; free of charge"]


def _budget(inputs: Mapping[str, Any]) -> Facts:
    return [
        f"writes a mail near {inputs.get('amount', 0):g} a month in the subscription's currency; hours late"
    ]


HOST_TELLERS: Mapping[str, Callable[[Mapping[str, Any]], Facts]] = {
    "azure-native:compute:VirtualMachine": _machine,
    "azure-native:compute:VirtualMachineExtension": _extension,
    "azure-native:devtestlab:GlobalSchedule": _schedule,
    "azure-native:logic:Workflow": _workflow,
    "azure-native:monitor:ScheduledQueryRule": _alarm,
    "azure-native:monitor:ActionGroup": _told,
    "azure-native:operationalinsights:Workspace": _workspace,
    "azure-native:operationalinsights:Table": _table,
    "azure-native:monitor:DataCollectionRule": _rule,
    "azure-native:applicationinsights:Workbook": _page,
    "azure-native:consumption:Budget": _budget,
}
