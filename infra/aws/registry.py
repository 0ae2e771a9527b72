"""Where the training image lies, for the machine to take it by digest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

KEPT_IMAGES = 5
"""An image of this project has some gigabytes; each costs 0.10 USD a GB and month (ECR pricing, 2026-11)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRepositoryArgs:
    """What an `ImageRepository` is made from."""

    repository_name: str
    key_arn: pulumi.Input[str]
    tags: Mapping[str, pulumi.Input[str]]


class ImageRepository(pulumi.ComponentResource):
    """Encrypted, scanned when an image comes in; a tag once given stays with its image. It goes with the stack."""

    def __init__(
        self, name: str, args: ImageRepositoryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:aws:ImageRepository", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=args.repository_name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key_arn)
            ],
            force_delete=True,
            tags=args.tags,
            opts=child,
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-old",
            repository=repository.name,
            policy=_keep_newest(KEPT_IMAGES),
            opts=child,
        )
        self.repository_url: pulumi.Output[str] = repository.repository_url
        self.arn: pulumi.Output[str] = repository.arn
        self.register_outputs({"repositoryUrl": self.repository_url, "arn": self.arn})


def _keep_newest(count: int) -> str:
    rule = {
        "rulePriority": 1,
        "description": f"keep the newest {count}",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})
