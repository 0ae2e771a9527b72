"""The variable that lets a destroy go on without the run; read at that moment, never a setting, never in the state."""

from infra.errors import InfraError, RunHomeError
from infra.provider.table import Call

DISCARD = "SONARSTACK_DISCARD_RESULTS"


def refuse_to_lose(call: Call, error: InfraError) -> None:
    """To be called with why a run does not come home; returns only where its owner goes on without it.

    Raises:
        RunHomeError: he did not say so.
    """
    if call.variables.get(DISCARD) != "1":
        raise RunHomeError(
            f"{error}; nothing was destroyed. {DISCARD}=1 (or `stacks down --discard`) goes on without the run"
        ) from error
