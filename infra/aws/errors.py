"""The exceptions of the AWS target. Each message is one line: what was asked, what AWS said, what to do.

AwsError
+-- AccountError        no credentials, expired ones, or AWS cannot be reached
+-- InstanceTypeError   a type is unknown or retired
+-- QuotaError          the account may not run what is wanted
+-- NoOfferError        no zone has the type, or every price is above the ceiling
"""

from infra.errors import InfraError


class AwsError(InfraError):
    """AWS refuses what is asked."""


class AccountError(AwsError):
    """Credentials are missing, expired or not enough, or AWS cannot be reached."""


class InstanceTypeError(AwsError):
    """An instance type is unknown, or retired and not asked for as such."""


class QuotaError(AwsError):
    """The account's quota does not let the machine start."""


class NoOfferError(AwsError):
    """No zone offers the type, or every price is above the ceiling."""
