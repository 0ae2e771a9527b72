"""The exceptions of the Azure target. Each message is one line: what was asked, what Azure said, what to do.

AzureError
+-- AccountError   no credentials, expired ones, no right, or Azure cannot be reached
+-- SizeError      a size is unknown or retired
+-- QuotaError     the subscription may not run what is wanted
+-- NoOfferError   the region has no such size, or every price is above the ceiling
"""

from infra.errors import InfraError


class AzureError(InfraError):
    """Azure refuses what is asked."""

    status: int | None = None
    """Of HTTP, where it was an answer."""


class AccountError(AzureError):
    """Credentials are missing, expired or not enough, or Azure cannot be reached."""


class SizeError(AzureError):
    """A size is unknown, or retired."""


class QuotaError(AzureError):
    """The subscription's quota does not let the machine start."""


class NoOfferError(AzureError):
    """The region has no such size, or every price is above the ceiling."""
