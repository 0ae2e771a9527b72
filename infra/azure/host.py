"""The machine: one virtual machine without a way in, whose disk and network interface go when it goes."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_azure_native as azure

from infra.azure.roles import ADMIN_LOGIN, Grant, PrincipalType, assignment_name, grant
from infra.azure.session import ADMIN

IMAGE = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204"}
"""Microsoft's HPC image: driver, CUDA, Docker, NVIDIA runtime (cloud facts 4.2, 2026-11)."""
NOTICE = "PT5M"
"""Between a wish to delete the machine and its end, unless the machine agrees sooner; the shortest is 5 minutes."""
NETWORK_API = "2022-11-01"
"""The newer of the two that an interface inside a machine's own request may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostArgs:
    """What a `Host` is made from."""

    group: pulumi.Input[str]
    """Name of the resource group."""
    location: str
    machine: str
    """Another name is another machine."""
    size: str
    """Standard_NC4as_T4_v3."""
    market: Literal["spot", "on_demand"]
    max_usd_per_h: float
    """The limit on the spot market."""
    image_version: str
    """22.04.2025041101; not "latest", which is another one every month."""
    pin_image: bool
    """Whether the first one stays when ours moves on; False for a version that somebody chose."""
    trusted_launch: bool
    """Whether the size can: a measured start and a virtual TPM."""
    encryption_at_host: bool
    """Whether the subscription has it: also the temporary disk and the caches are encrypted then."""
    disk_gib: int
    disk_encryption_set_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """Its security group is the machine's."""
    identity_id: pulumi.Input[str]
    """User-assigned."""
    ssh_public_key: pulumi.Input[str]
    """Azure makes no Linux machine without a password or a key; nothing lets it in from outside."""
    start_text: pulumi.Input[str]
    """Of cloud-init. Readable by whoever reads the machine: no secret is in it."""
    rule_id: pulumi.Input[str]
    """Data collection rule for the agent."""
    tags: Mapping[str, pulumi.Input[str]]
    """Stamp, lease and run, on the machine, its disk and its interface."""
    over: bool
    """Whether its job is, and it has ended itself: then nothing about it changes, since Azure would make it anew."""
    after: Sequence[pulumi.Resource]
    """What must be there first: the timer that ends it, what it reads. A component's own `depends_on` does not reach
    what it is made of."""
    zone: str | None = None
    login: "EntraLogin | None" = None
    """Whether, and who, may sign in with a directory account, by the Bastion; None for the key alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntraLogin:
    """Who signs in with an account of the directory."""

    subscription_id: str
    group_id: str
    """The right is on the group: it does not hang on one machine that comes and goes."""
    principal_id: str
    principal_type: PrincipalType


class Host(pulumi.ComponentResource):
    """At most one machine at any time."""

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:Host", name, None, opts)
        self._name, self._args = name, args
        self.machine = azure.compute.VirtualMachine(
            f"{name}-machine",
            vm_name=args.machine,
            resource_group_name=args.group,
            location=args.location,
            zones=None if args.zone is None else [args.zone],
            hardware_profile=azure.compute.HardwareProfileArgs(vm_size=args.size),
            storage_profile=_storage(args),
            os_profile=_system(args),
            network_profile=_network(args),
            security_profile=_security(args),
            identity=azure.compute.VirtualMachineIdentityArgs(
                # The sign-in with a directory account wants the machine's own one beside ours.
                type="UserAssigned" if args.login is None else "SystemAssigned, UserAssigned",
                user_assigned_identities=[args.identity_id],
            ),
            priority="Spot" if args.market == "spot" else "Regular",
            # A machine that is only stopped keeps its disk, and a place in the quota.
            eviction_policy="Delete" if args.market == "spot" else None,
            billing_profile=azure.compute.BillingProfileArgs(max_price=args.max_usd_per_h)
            if args.market == "spot"
            else None,
            scheduled_events_profile=azure.compute.ScheduledEventsProfileArgs(
                terminate_notification_profile=azure.compute.TerminateNotificationProfileArgs(
                    enable=True, not_before_timeout=NOTICE
                )
            ),
            # What the console shows while it starts, in storage of Azure's own.
            diagnostics_profile=azure.compute.DiagnosticsProfileArgs(
                boot_diagnostics=azure.compute.BootDiagnosticsArgs(enabled=True)
            ),
            tags=args.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.after),
                # Two at once would bill twice, write one run, and want the quota of two.
                delete_before_replace=True,
                ignore_changes=_left_alone(args),
                # Azure changes none of these on a machine that is there.
                replace_on_changes=["osProfile", "priority", "billingProfile", "securityProfile"],
                custom_timeouts=pulumi.CustomTimeouts(create="30m", delete="30m"),
            ),
        )
        # What is a part of the machine is gone with it, whoever ended it: nothing of it is deleted by itself.
        self._part = pulumi.ResourceOptions(
            parent=self, deleted_with=self.machine, ignore_changes=["*"] if args.over else None
        )
        self._agent()
        if args.login is not None:
            self._sign_in(args.login)
        self.machine_name: pulumi.Output[str] = self.machine.name
        self.machine_id: pulumi.Output[str] = self.machine.id
        self.register_outputs({"machine": self.machine_name})

    def _agent(self) -> None:
        args = self._args
        settings = pulumi.Output.from_input(args.identity_id).apply(
            lambda identity: {
                "authentication": {
                    "managedIdentity": {"identifier-name": "mi_res_id", "identifier-value": identity}
                }
            }
        )
        self._extension("agent", "Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", "1.0", settings)
        azure.monitor.DataCollectionRuleAssociation(
            f"{self._name}-collected",
            association_name="sonarstack",
            resource_uri=self.machine.id,
            data_collection_rule_id=args.rule_id,
            # It goes by itself, and first: a rule with machines does not.
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _sign_in(self, login: EntraLogin) -> None:
        grant(
            f"{self._name}-login-right",
            Grant(
                role=ADMIN_LOGIN,
                principal_id=login.principal_id,
                principal_type=login.principal_type,
                scope=login.group_id,
            ),
            assignment=assignment_name(login.group_id, login.principal_id, "login"),
            subscription_id=login.subscription_id,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._args.after)),
        )
        self._extension("login", "Microsoft.Azure.ActiveDirectory", "AADSSHLoginForLinux", "1.0", None)

    def _extension(
        self,
        suffix: str,
        publisher: str,
        kind: str,
        version: str,
        settings: pulumi.Input[dict[str, Any]] | None,
    ) -> None:
        azure.compute.VirtualMachineExtension(
            f"{self._name}-{suffix}",
            vm_extension_name=kind,
            vm_name=self.machine.name,
            resource_group_name=self._args.group,
            location=self._args.location,
            publisher=publisher,
            type=kind,
            type_handler_version=version,
            auto_upgrade_minor_version=True,
            settings=settings,
            # A run is not given up because an agent could not be set up.
            suppress_failures=True,
            tags=self._args.tags,
            opts=self._part,
        )


def _left_alone(args: HostArgs) -> list[str] | None:
    if args.over:
        return ["*"]
    return ["storageProfile.imageReference.version"] if args.pin_image else None


def _storage(args: HostArgs) -> azure.compute.StorageProfileArgs:
    return azure.compute.StorageProfileArgs(
        image_reference=azure.compute.ImageReferenceArgs(**IMAGE, version=args.image_version),
        os_disk=azure.compute.OSDiskArgs(
            name=f"{args.machine}-disk",
            create_option="FromImage",
            delete_option="Delete",
            caching="ReadWrite",
            disk_size_gb=args.disk_gib,
            managed_disk=azure.compute.ManagedDiskParametersArgs(
                storage_account_type="Premium_LRS",
                disk_encryption_set=azure.compute.DiskEncryptionSetParametersArgs(
                    id=args.disk_encryption_set_id
                ),
            ),
        ),
    )


def _system(args: HostArgs) -> azure.compute.OSProfileArgs:
    return azure.compute.OSProfileArgs(
        computer_name=args.machine,
        admin_username=ADMIN,
        custom_data=pulumi.Output.from_input(args.start_text).apply(
            lambda text: base64.b64encode(text.encode()).decode()
        ),
        allow_extension_operations=True,
        linux_configuration=azure.compute.LinuxConfigurationArgs(
            disable_password_authentication=True,
            # By it come the agent, the sign-in and run commands.
            provision_vm_agent=True,
            ssh=azure.compute.SshConfigurationArgs(
                public_keys=[
                    azure.compute.SshPublicKeyArgs(
                        key_data=args.ssh_public_key, path=f"/home/{ADMIN}/.ssh/authorized_keys"
                    )
                ]
            ),
            # An update of the driver in the middle of a run would end it; the image's version is what is kept new.
            patch_settings=azure.compute.LinuxPatchSettingsArgs(
                patch_mode="ImageDefault", assessment_mode="ImageDefault"
            ),
        ),
    )


def _network(args: HostArgs) -> azure.compute.NetworkProfileArgs:
    """One interface, made and deleted with the machine, without a public address."""
    return azure.compute.NetworkProfileArgs(
        network_api_version=NETWORK_API,
        network_interface_configurations=[
            azure.compute.VirtualMachineNetworkInterfaceConfigurationArgs(
                name=f"{args.machine}-nic",
                primary=True,
                delete_option="Delete",
                enable_ip_forwarding=False,
                ip_configurations=[
                    azure.compute.VirtualMachineNetworkInterfaceIPConfigurationArgs(
                        name="private",
                        primary=True,
                        private_ip_address_version="IPv4",
                        subnet=azure.compute.SubResourceArgs(id=args.subnet_id),
                    )
                ],
            )
        ],
    )


def _security(args: HostArgs) -> azure.compute.SecurityProfileArgs:
    """Without Secure Boot: NVIDIA's modules are built on the image, and signed by no key that the firmware knows.

    With it the kernel would refuse them, and the machine would have no GPU. What starts is still measured by the TPM.
    """
    return azure.compute.SecurityProfileArgs(
        encryption_at_host=args.encryption_at_host,
        security_type="TrustedLaunch" if args.trusted_launch else None,
        uefi_settings=azure.compute.UefiSettingsArgs(secure_boot_enabled=False, v_tpm_enabled=True)
        if args.trusted_launch
        else None,
    )
