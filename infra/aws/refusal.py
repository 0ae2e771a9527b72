"""What AWS answers to a call, as a value or as one line that says what to do."""

from collections.abc import Callable
from typing import Any, TypeVar

from infra.errors import HostError

T = TypeVar("T")
NOT_THERE = ("ResourceNotFoundException", "InvalidInstanceId", "ValidationError", "NoSuchKey", "NoSuchEntity")
_REQUIRED = object()


def asked(call: Callable[[], T], what: str, *, missing: Any = _REQUIRED) -> T:
    """The answer; `missing` where what is asked for is not there, if that is given.

    Raises:
        HostError: AWS refuses, or does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if missing is not _REQUIRED and code in NOT_THERE:
            return missing  # type: ignore[no-any-return]
        raise HostError(f"AWS does not let us {what} ({code})") from error
    except NoCredentialsError as error:
        raise HostError("AWS needs credentials: aws configure, or export AWS_PROFILE") from error
    except BotoCoreError as error:
        raise HostError(
            f"AWS does not answer ({type(error).__name__}); check the network and the region"
        ) from error
