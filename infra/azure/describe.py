"""What matters about each resource of the Azure target, in words: what is open, what is encrypted, who may do what."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.azure import network_prices, roles
from infra.azure.describe_host import HOST_TELLERS, Facts

ROLES = {
    roles.BLOB_READER: "reads blobs",
    roles.BLOB_CONTRIBUTOR: "reads, writes and deletes blobs",
    roles.SECRETS_USER: "reads secret values",
    roles.KEY_ENCRYPTION_USER: "encrypts by the key",
    roles.ACR_PULL: "pulls images",
    roles.ACR_PUSH: "pushes images",
    roles.METRICS_PUBLISHER: "sends records",
    roles.ADMIN_LOGIN: "signs in to machines",
}
OWN_NETWORK, OWN_ROLE = "the stack's network", "the stack's own role"


def describe(token: str, inputs: Mapping[str, Any]) -> Facts:
    """Facts of one resource; empty for a type that has none worth a line."""
    tell = _TELLERS.get(token)
    return tell(inputs) if tell else []


def _group(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('resourceGroupName')}: all of the stack, and nothing else"]


def _network(inputs: Mapping[str, Any]) -> Facts:
    blocks = ", ".join((inputs.get("addressSpace") or {}).get("addressPrefixes") or ())
    return [f"{blocks}, the stack's own"]


def _subnet(inputs: Mapping[str, Any]) -> Facts:
    facts = [f"{inputs.get('addressPrefix')}"]
    if inputs.get("defaultOutboundAccess") is not False:
        facts.append("Azure's default way out is open")
    if "natGateway" in inputs:
        facts.append("out by NAT only")
    if not inputs.get("networkSecurityGroup"):
        facts.append("NO security group")
    return facts


def _locks(inputs: Mapping[str, Any]) -> Facts:
    """Ways of a security group; a refusal of all else is what one expects, and its lack is what one is told."""
    rules = list(inputs.get("securityRules") or ())
    facts = []
    for direction, word, side in (
        ("Inbound", "in from", "sourceAddressPrefix"),
        ("Outbound", "out to", "destinationAddressPrefix"),
    ):
        ways = [one for one in rules if one.get("direction") == direction]
        let = [one for one in ways if one.get("access") == "Allow"]
        closed = any(one.get("access") == "Deny" and one.get(side) == "*" for one in ways)
        told = ", ".join(f"{one.get(side)} {one.get('destinationPortRange')}" for one in let)
        facts.append(f"{word} {told}" if let else f"nothing {word.split()[0]}")
        if not closed:
            facts.append(f"{word} Azure's defaults too: NOT closed")
    return facts


def _address(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('publicIpAddressName')}: of the gate or the way out, never of a machine"]


def _way_out(inputs: Mapping[str, Any]) -> Facts:
    del inputs
    price = network_prices.NAT_USD_PER_H
    return ["takes no connection from outside", f"about ${price:g} an hour while it stands"]


def _endpoint(inputs: Mapping[str, Any]) -> Facts:
    kinds = [
        kind
        for one in inputs.get("privateLinkServiceConnections") or ()
        for kind in one.get("groupIds") or ()
    ]
    return [f"to {', '.join(kinds)}, about ${network_prices.ENDPOINT_USD_PER_H:g} an hour"]


def _gate(inputs: Mapping[str, Any]) -> Facts:
    facts = [f"asks for an account of the directory; about ${network_prices.BASTION_USD_PER_H:g} an hour"]
    return [*facts, "open to whoever has a link"] if inputs.get("enableShareableLink") else facts


def _account(inputs: Mapping[str, Any]) -> Facts:
    rules = inputs.get("networkRuleSet") or {}
    encryption = inputs.get("encryption") or {}
    closed = rules.get("defaultAction") == "Deny" or inputs.get("publicNetworkAccess") == "Disabled"
    own_key = str(encryption.get("keySource")).lower() == "microsoft.keyvault"
    facts = [
        str(inputs.get("accountName")),
        "encrypted by the stack's key" if own_key else "NOT encrypted by the stack's key",
    ]
    if encryption.get("requireInfrastructureEncryption"):
        facts.append("and a second time by Azure's")
    facts.append("no shared keys" if inputs.get("allowSharedKeyAccess") is False else "shared keys work")
    if inputs.get("allowBlobPublicAccess") is not False:
        facts.append("may be made public")
    if inputs.get("minimumTlsVersion") != "TLS1_2":
        facts.append("old TLS is taken")
    if not closed:
        return [*facts, "open to every network"]
    callers = [str(one.get("iPAddressOrRange") or one.get("value")) for one in rules.get("ipRules") or ()]
    return [*facts, f"from {', '.join([*callers, OWN_NETWORK])} only"]


def _container(inputs: Mapping[str, Any]) -> Facts:
    public = str(inputs.get("publicAccess") or "None")
    return [f"{inputs.get('containerName')}, {'never public' if public == 'None' else 'open to everybody'}"]


def _blobs(inputs: Mapping[str, Any]) -> Facts:
    return ["old versions are kept" if inputs.get("isVersioningEnabled") else "no versions"]


def _policy(inputs: Mapping[str, Any]) -> Facts:
    facts = []
    for rule in (inputs.get("policy") or {}).get("rules") or ():
        version = ((rule.get("definition") or {}).get("actions") or {}).get("version") or {}
        days = (version.get("delete") or {}).get("daysAfterCreationGreaterThan")
        if days is not None:
            facts.append(f"old versions go after {days:g} days")
    return facts


def _vault(inputs: Mapping[str, Any]) -> Facts:
    properties = inputs.get("properties") or {}
    closed = (properties.get("networkAcls") or {}).get("defaultAction") == "Deny"
    return [
        "by roles only" if properties.get("enableRbacAuthorization") else "by access policies",
        "purge protection" if properties.get("enablePurgeProtection") else "can be purged",
        "closed to the network but the stack's" if closed else "open to every network",
    ]


def _key(inputs: Mapping[str, Any]) -> Facts:
    properties = inputs.get("properties") or {}
    rotates = bool((properties.get("rotationPolicy") or {}).get("lifetimeActions"))
    size = f"{properties.get('kty')} {properties.get('keySize', 0):g}"
    return [f"{size}, {'rotates by itself' if rotates else 'never rotates'}"]


def _disks(inputs: Mapping[str, Any]) -> Facts:
    follows = inputs.get("rotationToLatestKeyVersionEnabled")
    return [f"disks by the stack's key{', which it follows as it rotates' if follows else ''}"]


def _registry(inputs: Mapping[str, Any]) -> Facts:
    sku = str((inputs.get("sku") or {}).get("name"))
    return [
        sku,
        "has a password of its own" if inputs.get("adminUserEnabled") else "by roles only",
        *(["anybody may pull"] if inputs.get("anonymousPullEnabled") else []),
    ]


def _role(inputs: Mapping[str, Any]) -> Facts:
    actions = [
        action
        for one in inputs.get("permissions") or ()
        for action in [*(one.get("actions") or ()), *(one.get("dataActions") or ())]
    ]
    scopes = ", ".join(_place(str(scope)) for scope in inputs.get("assignableScopes") or ())
    return [f"may {', '.join(actions)} in {scopes}, and nothing else"]


def _right(inputs: Mapping[str, Any]) -> Facts:
    role = str(inputs.get("roleDefinitionId")).rpartition("/")[2]
    return [f"{ROLES.get(role, OWN_ROLE)} on {_place(str(inputs.get('scope')))}"]


def _place(scope: str) -> str:
    """The last name of an ARM id, and what it is."""
    parts = scope.strip("/").split("/")
    return f"{parts[-2]}/{parts[-1]}" if len(parts) > 1 else scope


_TELLERS: Mapping[str, Callable[[Mapping[str, Any]], Facts]] = {
    "azure-native:resources:ResourceGroup": _group,
    "azure-native:network:VirtualNetwork": _network,
    "azure-native:network:Subnet": _subnet,
    "azure-native:network:NetworkSecurityGroup": _locks,
    "azure-native:network:PublicIPAddress": _address,
    "azure-native:network:NatGateway": _way_out,
    "azure-native:network:PrivateEndpoint": _endpoint,
    "azure-native:network:BastionHost": _gate,
    "azure-native:storage:StorageAccount": _account,
    "azure-native:storage:BlobContainer": _container,
    "azure-native:storage:BlobServiceProperties": _blobs,
    "azure-native:storage:ManagementPolicy": _policy,
    "azure-native:keyvault:Vault": _vault,
    "azure-native:keyvault:Key": _key,
    "azure-native:compute:DiskEncryptionSet": _disks,
    "azure-native:containerregistry:Registry": _registry,
    "azure-native:authorization:RoleDefinition": _role,
    "azure-native:authorization:RoleAssignment": _right,
    **HOST_TELLERS,
}
