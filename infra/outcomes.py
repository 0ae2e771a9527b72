"""How a job ended, by its exit code. The codes are the program's; tests/test_seam.py compares the two tables."""

DONE, FAILED = "done", "failed"
OUTCOMES = {0: DONE, 80: "deadline", 81: "budget", 82: "idle", 83: "interrupted"}
"""Codes that count as ended. Anything else failed; 128 + N is death by signal N, as shells and Docker tell it."""


def outcome_of(exit_code: int) -> str:
    """done, deadline, budget, idle, interrupted or failed."""
    return OUTCOMES.get(exit_code, FAILED)


def counts_as_ended(exit_code: int) -> bool:
    """Whether the stack has nothing to complain about."""
    return exit_code in OUTCOMES
