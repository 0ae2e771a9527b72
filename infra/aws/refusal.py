"""What AWS answers to a call, as a value or as one line that says what to do."""

from collections.abc import Callable
from typing import Any, TypeVar

from infra.aws.account import explained

T = TypeVar("T")
NOT_THERE = (
    "ResourceNotFoundException", "InvalidInstanceId", "ValidationError", "NoSuchKey", "NoSuchEntity", "404",
)  # fmt: skip
_REQUIRED = object()


def asked(call: Callable[[], T], what: str, *, missing: Any = _REQUIRED) -> T:
    """The answer; `missing` where what is asked for is not there, if that is given.

    Raises:
        AwsError: AWS refuses, or does not answer.
    """
    from botocore.exceptions import ClientError

    with explained(what):
        try:
            return call()
        except ClientError as error:
            if missing is not _REQUIRED and error.response.get("Error", {}).get("Code") in NOT_THERE:
                return missing  # type: ignore[no-any-return]
            raise
