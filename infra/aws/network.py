"""A network of the stack's own, in which nothing comes in: with a way out by HTTPS, or with none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.endpoint_policies import gateway_document
from infra.aws.endpoints import HTTPS, Endpoints, EndpointsArgs
from infra.aws.flow_logs import FlowLogs, FlowLogsArgs
from infra.aws.network_prices import Profile
from infra.aws.subnets import SubnetPlan, plan_subnets

CIDR = "10.20.0.0/16"
ANYWHERE = "0.0.0.0/0"
ENDPOINT_ZONES = 1
"""Zones with doors: one serves them all, and a training run loses less by a lost zone than by a second set of doors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """What a `Network` is made from."""

    account_id: str
    region: str
    zones: Sequence[str]
    """Those that offer the machine's types."""
    profile: Profile
    """cheap: public addresses and HTTPS out. private: no internet, doors to the services that are needed."""
    buckets: Sequence[str]
    """Names of those that may be reached by way of the S3 gateway; others cannot."""
    key_arn: pulumi.Input[str]
    flow_log_group_name: str
    tags: Mapping[str, pulumi.Input[str]]
    cidr: str = CIDR
    boundary_arn: pulumi.Input[str] | None = None
    """Of the role that writes flow records, where the account wants one."""


class Network(pulumi.ComponentResource):
    """VPC, subnets, routes and the machine's security group."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """
        Raises:
            SettingsError: the addresses do not fit.
        """
        plan = plan_subnets(args.cidr, args.zones)
        super().__init__("sonarstack:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=self._child,
        )
        # What AWS makes with every VPC, and what a resource lands in that names no group: nothing in, nothing out.
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default",
            vpc_id=self._vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags("closed"),
            opts=self._child,
        )
        routes = self._routes()
        subnets = [self._subnet(share, routes) for share in plan]
        gateway = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            policy=gateway_document(args.region, args.account_id, args.buckets),
            tags=self._tags("s3"),
            opts=self._child,
        )
        group = aws.ec2.SecurityGroup(
            f"{name}-machine",
            description="The training machine: nothing in, HTTPS out",
            vpc_id=self._vpc.id,
            tags=self._tags("machine"),
            opts=self._child,
        )
        if args.profile == "cheap":
            self._out(group, "https", "HTTPS, to anywhere", cidr_ipv4=ANYWHERE)
        else:
            self._private_ways(group, gateway, [subnet.id for subnet in subnets[:ENDPOINT_ZONES]])
        FlowLogs(
            f"{name}-flow",
            FlowLogsArgs(
                account_id=args.account_id,
                region=args.region,
                vpc_id=self._vpc.id,
                log_group_name=args.flow_log_group_name,
                key_arn=args.key_arn,
                boundary_arn=args.boundary_arn,
                tags=args.tags,
            ),
            opts=self._child,
        )
        self.vpc_id: pulumi.Output[str] = self._vpc.id
        self.subnet_ids: list[pulumi.Output[str]] = [subnet.id for subnet in subnets]
        self.security_group_id: pulumi.Output[str] = group.id
        self.public_address = args.profile == "cheap"
        """Whether the machine needs an address of its own to get out."""
        self.register_outputs({"vpcId": self.vpc_id, "securityGroupId": self.security_group_id})

    def _routes(self) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(
            f"{self._name}-routes", vpc_id=self._vpc.id, tags=self._tags("routes"), opts=self._child
        )
        if self._args.profile == "cheap":
            internet = aws.ec2.InternetGateway(
                f"{self._name}-internet",
                vpc_id=self._vpc.id,
                tags=self._tags("internet"),
                opts=self._child,
            )
            aws.ec2.Route(
                f"{self._name}-out",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                gateway_id=internet.id,
                opts=self._child,
            )
        return table

    def _subnet(self, share: SubnetPlan, routes: aws.ec2.RouteTable) -> aws.ec2.Subnet:
        letter = share.zone[-1]
        subnet = aws.ec2.Subnet(
            f"{self._name}-subnet-{letter}",
            vpc_id=self._vpc.id,
            availability_zone=share.zone,
            cidr_block=share.cidr,
            # The launch template says which machine has an address; nobody gets one by landing here.
            map_public_ip_on_launch=False,
            tags=self._tags(share.zone),
            opts=self._child,
        )
        aws.ec2.RouteTableAssociation(
            f"{self._name}-routes-{letter}",
            subnet_id=subnet.id,
            route_table_id=routes.id,
            opts=self._child,
        )
        return subnet

    def _private_ways(
        self,
        group: aws.ec2.SecurityGroup,
        gateway: aws.ec2.VpcEndpoint,
        subnet_ids: Sequence[pulumi.Input[str]],
    ) -> None:
        doors = Endpoints(
            f"{self._name}-doors",
            EndpointsArgs(
                account_id=self._args.account_id,
                region=self._args.region,
                vpc_id=self._vpc.id,
                subnet_ids=subnet_ids,
                security_group_id=group.id,
                tags=self._args.tags,
            ),
            opts=self._child,
        )
        self._out(
            group, "doors", "HTTPS, to AWS's services", referenced_security_group_id=doors.security_group_id
        )
        self._out(group, "s3", "HTTPS, to S3 through the gateway", prefix_list_id=gateway.prefix_list_id)

    def _out(
        self, group: aws.ec2.SecurityGroup, suffix: str, description: str, **to: pulumi.Input[str]
    ) -> None:
        """DNS needs no rule: the VPC's resolver, like clock and metadata, is no matter of security groups."""
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-machine-{suffix}",
            security_group_id=group.id,
            description=description,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags=self._args.tags,
            opts=self._child,
            **to,
        )

    def _tags(self, what: str) -> dict[str, pulumi.Input[str]]:
        """With a name, which is what the console shows of a network's parts."""
        return {**self._args.tags, "Name": f"{self._name}-{what}"}
