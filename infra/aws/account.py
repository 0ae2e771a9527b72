"""The account as AWS's own variables and files name it: clients with an end to every wait, and who we are there.

boto3 takes 0.5 s to import, so that only those who ask AWS something import it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.aws.errors import AccountError, AwsError

CONNECT_S, READ_S, ATTEMPTS = 5.0, 30.0, 4
"""Bounds of one call; boto3's own are 60 s each, with 5 attempts."""
LOG_IN = "run `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch",
           "InvalidAccessKeyId", "IncompleteSignature")  # fmt: skip
REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who AWS says we are."""

    account_id: str
    arn: str
    """Of the user or of the session of a role."""

    @property
    def principal_arns(self) -> tuple[str, ...]:
        """Patterns of what policies know as aws:PrincipalArn: of a session, its role's ARN, whose path is not told."""
        parts = self.arn.split(":")
        kind, _, rest = parts[-1].partition("/")
        if parts[2] != "sts" or kind != "assumed-role":
            return (self.arn,)
        role = rest.partition("/")[0]
        head = ":".join([*parts[:2], "iam", *parts[3:5]])
        return f"{head}:role/{role}", f"{head}:role/*/{role}"


def client(service: str, region: str | None = None, **settings: Any) -> Any:
    """A boto3 client; AWS_PROFILE, AWS_ENDPOINT_URL and their like count, as everywhere else.

    Args:
        service: as boto3 names it.
        region: None for what AWS_REGION or the profile says.
        settings: of `botocore.config.Config`, in the place of ours.

    Raises:
        AccountError: no such profile, or no region.
    """
    with explained(f"{service} in {region or 'the region of your settings'}"):
        import boto3
        from botocore.config import Config

        bounds = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra="sonarstack",
        )
        # botocore knows AWS_DEFAULT_REGION only; everybody else reads AWS_REGION first.
        where = region or os.environ.get("AWS_REGION") or None
        return boto3.session.Session(region_name=where).client(
            service, config=bounds.merge(Config(**settings))
        )


def who_am_i(sts: Any) -> Identity:
    """Account and caller, by a call that needs no right.

    Raises:
        AccountError: no credentials, expired ones, or no answer.
    """
    with explained("your AWS account"):
        answer = sts.get_caller_identity()
    return Identity(account_id=answer["Account"], arn=answer["Arn"])


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what boto3 raises into one line; `what` is what was asked for.

    Raises:
        AccountError: credentials or the network.
        AwsError: anything else that AWS refuses.
    """
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(what, error.response.get("Error", {}), error.operation_name) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError) as error:
        raise AccountError(f"there are no AWS credentials to ask for {what}; {LOG_IN}") from error
    except (boto.UnauthorizedSSOTokenError, boto.SSOError) as error:
        raise AccountError("your AWS single sign-on has expired; run `aws sso login`, then again") from error
    except boto.ProfileNotFound as error:
        raise AccountError(
            f"AWS_PROFILE={os.environ.get('AWS_PROFILE')} is in no file of yours; `aws configure list-profiles` "
            "shows those that are"
        ) from error
    except boto.NoRegionError as error:
        raise AccountError("no AWS region is set; set sonarstack:region, or AWS_REGION") from error
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise AccountError(
            f"AWS does not answer about {what} ({type(error).__name__}); check the network, AWS_ENDPOINT_URL and the "
            "region's name"
        ) from error
    except boto.BotoCoreError as error:
        if type(error).__name__.startswith(
            ("Login", "Token")
        ):  # `aws login`, which older versions do not know
            raise AccountError(f"your AWS log-in has expired ({type(error).__name__}); {LOG_IN}") from error
        raise AwsError(f"{what} cannot be asked of AWS ({type(error).__name__})") from error


def _refusal(what: str, told: Mapping[str, Any], operation: str) -> AwsError:
    code, message = str(told.get("Code", "")), " ".join(str(told.get("Message", "")).split())
    if code in EXPIRED:
        return AccountError(f"your AWS credentials have expired; {LOG_IN}")
    if code in UNKNOWN:
        return AccountError(f"AWS does not know your credentials ({code}); {LOG_IN}")
    if code in REFUSED:
        return AccountError(
            f"your AWS identity may not ask for {what} ({operation}: {code}); have that right added to it"
        )
    return AwsError(f"AWS refuses {what} ({operation}: {code}): {message[:300]}")
