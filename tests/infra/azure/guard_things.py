"""Records, switches and machine of the Azure target, each declared alone; and what Azure would let an identity do."""

from collections.abc import Callable, Mapping
from datetime import date

from infra.azure.budget import MonthlyBudget, MonthlyBudgetArgs
from infra.azure.end_right import EndRight, EndRightArgs
from infra.azure.guard import DailyShutdown, DailyShutdownArgs, Deadline, DeadlineArgs
from infra.azure.host import EntraLogin, Host, HostArgs
from infra.azure.idle_alarm import IdleAlarm, IdleAlarmArgs
from infra.azure.logs import Logs, LogsArgs
from infra.azure.names import group_id, group_name, machine_name, part_id
from stacks.mock_azure import SUBSCRIPTION
from stacks.mock_run import Declared

STAMP, LOCATION = "sonarstack-night-abc123", "eastus"
GROUP, GROUP_ID = group_name(STAMP), group_id(SUBSCRIPTION, STAMP)
TAGS = {"sonarstack:stamp": STAMP}
MACHINE = machine_name(STAMP, "job", 0)
MACHINE_ID = part_id(SUBSCRIPTION, STAMP, "Microsoft.Compute/virtualMachines", MACHINE)
IDENTITY = part_id(SUBSCRIPTION, STAMP, "Microsoft.ManagedIdentity/userAssignedIdentities", "it")
WORKSPACE = part_id(SUBSCRIPTION, STAMP, "Microsoft.OperationalInsights/workspaces", STAMP)
RULE = part_id(SUBSCRIPTION, STAMP, "Microsoft.Insights/dataCollectionRules", STAMP)
UNTIL = "2026-11-28T12:00:00Z"
START_TEXT = "#cloud-config\nruncmd: []\n"

RIGHT = EndRightArgs(
    subscription_id=SUBSCRIPTION,
    group=GROUP,
    group_id=GROUP_ID,
    location=LOCATION,
    stamp=STAMP,
    tags=TAGS,
)
DEADLINE = DeadlineArgs(
    group=GROUP,
    location=LOCATION,
    machine=MACHINE,
    machine_id=MACHINE_ID,
    identity_id=IDENTITY,
    lease_until=UNTIL,
    tags=TAGS,
    after=(),
)
SHUTDOWN = DailyShutdownArgs(
    group=GROUP, location=LOCATION, machine=MACHINE, machine_id=MACHINE_ID, lease_until=UNTIL, tags=TAGS
)
IDLE = IdleAlarmArgs(
    group=GROUP,
    location=LOCATION,
    stamp=STAMP,
    machine=MACHINE,
    machine_id=MACHINE_ID,
    identity_id=IDENTITY,
    workspace_id=WORKSPACE,
    idle_minutes=20,
    tags=TAGS,
    after=(),
)
BUDGET = MonthlyBudgetArgs(
    group_id=GROUP_ID, stamp=STAMP, limit_usd=50.0, email="owner@example.com", today=date(2026, 11, 28)
)
LOGS = LogsArgs(
    group=GROUP,
    location=LOCATION,
    stamp=STAMP,
    retention_days=30,
    daily_gb=1.0,
    tags=TAGS,
    email="owner@example.com",
)
HOST = HostArgs(
    group=GROUP,
    location=LOCATION,
    machine=MACHINE,
    size="Standard_NC4as_T4_v3",
    market="spot",
    max_usd_per_h=0.4,
    image_version="22.04.2026082801",
    pin_image=True,
    trusted_launch=True,
    encryption_at_host=True,
    disk_gib=128,
    disk_encryption_set_id=part_id(SUBSCRIPTION, STAMP, "Microsoft.Compute/diskEncryptionSets", "disks"),
    subnet_id=f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net/subnets/machines",
    identity_id=IDENTITY,
    ssh_public_key="ssh-ed25519 AAAA me@here",
    start_text=START_TEXT,
    rule_id=RULE,
    tags={**TAGS, "sonarstack:lease-until": UNTIL, "sonarstack:run": "night-1"},
    over=False,
    after=(),
)
LOGIN = EntraLogin(
    subscription_id=SUBSCRIPTION, group_id=GROUP_ID, principal_id="caller", principal_type="User"
)

GUARD_COMPONENTS: dict[str, Callable[[], object]] = {
    "EndRight": lambda: EndRight("it", RIGHT),
    "Deadline": lambda: Deadline("it", DEADLINE),
    "DailyShutdown": lambda: DailyShutdown("it", SHUTDOWN),
    "IdleAlarm": lambda: IdleAlarm("it", IDLE),
    "MonthlyBudget": lambda: MonthlyBudget("it", BUDGET),
    "Logs": lambda: Logs("it", LOGS),
    "Host": lambda: Host("it", HOST),
}


def may(declared: Mapping[str, Declared], identity: str, action: str, target: str) -> bool:
    """Whether the declared roles let an identity do something to an ARM id, as Azure's own check reads them.

    Source: Azure RBAC, how access is determined: an assignment holds for its scope and all below it; an action is let
    through by a role's actions, without its notActions, where * stands for any run of letters.
    """
    owner = next(one for one in declared.values() if one.inputs.get("resourceName") == identity)
    principal = f"{owner.inputs['resourceName']}-principal"
    definitions = {
        str(one.inputs["roleDefinitionId"]): one.inputs["permissions"]
        for one in declared.values()
        if one.token.endswith(":RoleDefinition")
    }
    for one in declared.values():
        if not one.token.endswith(":RoleAssignment") or one.inputs["principalId"] != principal:
            continue
        scope = str(one.inputs["scope"]).lower()
        if target.lower() != scope and not target.lower().startswith(f"{scope}/"):
            continue
        for permission in definitions[str(one.inputs["roleDefinitionId"]).rpartition("/")[2]]:
            allowed = any(_fits(pattern, action) for pattern in permission["actions"])
            if allowed and not any(_fits(pattern, action) for pattern in permission["notActions"]):
                return True
    return False


def _fits(pattern: str, action: str) -> bool:
    head, star, tail = pattern.lower().partition("*")
    lowered = action.lower()
    return lowered == head if not star else lowered.startswith(head) and lowered.endswith(tail)
