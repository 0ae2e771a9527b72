"""Which try of a job the next `up` is about: the one whose machine lives, or the next after it was taken. Pure."""

from collections.abc import Iterable

from infra.azure.names import machine_name


def last_attempt(stamp: str, job_digest: str, names: Iterable[str]) -> int | None:
    """The highest try among names of machines, of which those of other jobs do not count; None where there is none."""
    head = machine_name(stamp, job_digest, 0).removesuffix("0")
    tails = [name.removeprefix(head) for name in names if name.startswith(head)]
    return max((int(tail) for tail in tails if tail.isascii() and tail.isdigit()), default=None)


def attempt_of(
    stamp: str, job_digest: str, *, living: Iterable[str], seen: Iterable[str], over: bool | None
) -> int:
    """See `Places.attempt`.

    Args:
        living: machines that a job can be on.
        seen: machines that notes, journal or Azure know to have been.
        over: whether the job's outcome is noted; None where nobody can tell, and nothing new is rented then.
    """
    here = last_attempt(stamp, job_digest, living)
    last = last_attempt(stamp, job_digest, seen)
    if here is not None and (last is None or here >= last):
        return here
    if last is None:
        return 0
    return last if over is not False else last + 1
