"""Doors from a network without internet to the services that the machine needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.endpoint_policies import SERVICES, interface_document

HTTPS = 443


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointsArgs:
    """What `Endpoints` are made from."""

    account_id: str
    region: str
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    """One of a zone; every zone with a door pays for it."""
    security_group_id: pulumi.Input[str]
    """Of those who may come to the doors."""
    tags: Mapping[str, pulumi.Input[str]]


class Endpoints(pulumi.ComponentResource):
    """An interface endpoint for each service, open to one security group."""

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Endpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            description="Doors to AWS services; HTTPS from the training machine only",
            vpc_id=args.vpc_id,
            tags=args.tags,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-in",
            security_group_id=group.id,
            description="HTTPS from the training machine",
            referenced_security_group_id=args.security_group_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags=args.tags,
            opts=child,
        )
        for service in SERVICES:
            aws.ec2.VpcEndpoint(
                f"{name}-{service.name.replace('.', '-')}",
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service.name}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=args.subnet_ids,
                security_group_ids=[group.id],
                policy=interface_document(service, args.region, args.account_id),
                tags=args.tags,
                opts=child,
            )
        self.security_group_id: pulumi.Output[str] = group.id
        self.register_outputs({"securityGroupId": self.security_group_id})
