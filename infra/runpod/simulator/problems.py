"""Refusals of the service, as RFC 9457 problem details."""

from collections.abc import Sequence
from http import HTTPStatus

from infra.runpod.simulator.assumptions import follows

NO_CAPACITY = (
    "There are no longer any instances available with the requested specifications. "
    "Please refresh and try again."
)
HOST_FULL = "There are not enough free GPUs on the host machine to start this pod."


@follows("error-words")
class Problem(Exception):  # noqa: N818 the service's word for it
    """An answer that is no success.

    Args:
        status: HTTP code.
        detail: in words.
        errors: single violations of the contract.
        headers: beside those of every answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), headers or {}

    def body(self) -> dict[str, object]:
        """The contract's `ErrorResponse`."""
        words = HTTPStatus(self.status).phrase
        # The service says Entity, newer registries of codes say Content.
        title = "Unprocessable Entity" if self.status == 422 else words
        body: dict[str, object] = {"title": title, "status": self.status, "detail": self.detail}
        if self.errors:
            body["errors"] = list(self.errors)
        return body


def missing(what: str) -> Problem:
    """404."""
    return Problem(404, f"{what} not found")


@follows("no-capacity")
def no_capacity() -> Problem:
    """400, known by its words alone."""
    return Problem(400, NO_CAPACITY)


def too_many(window: str, wait_s: int) -> Problem:
    """429, with the seconds to wait; quotas as of the contract's example."""
    headers = {
        "Retry-After": str(wait_s),
        "RateLimit": f'"minute";r=0;t={wait_s}, "hour";r=2800;t=1812, "day";r=49500;t=45012',
        "RateLimit-Policy": '"minute";q=60;w=60, "hour";q=3000;w=3600, "day";q=50000;w=86400',
    }
    return Problem(429, f"rate limit exceeded for the {window} window", headers=headers)
