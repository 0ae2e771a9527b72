"""What can be set: one file a target, and what they share."""

from stacks.configs.aws import AwsSettings
from stacks.configs.azure import AzureSettings
from stacks.configs.every import StackSettings
from stacks.configs.local import LocalSettings
from stacks.configs.runpod import RunpodSettings

__all__ = ["TARGETS", "AwsSettings", "AzureSettings", "LocalSettings", "RunpodSettings", "StackSettings"]

TARGETS: dict[str, type[StackSettings]] = {
    "local": LocalSettings,
    "runpod": RunpodSettings,
    "aws": AwsSettings,
    "azure": AzureSettings,
}
"""Every target and its settings."""
