"""What people are told of a run: that it is done, costs, was interrupted, is about to be ended, or failed."""

import socket
from typing import Any

from app.exit_codes import ExitCode
from app.telemetry.notify import Notifier
from app.training.limits import Limits
from app.training.run_folder import RunFolder

DOLLARS_SHARE = 0.8
"""So much of the dollars spent is worth a message, while there is still time to decide."""
STATES = {
    ExitCode.DONE: "is done",
    ExitCode.DEADLINE: "is about to be ended: time is up",
    ExitCode.BUDGET: "is about to be ended: dollars are spent",
    ExitCode.IDLE: "is about to be ended: idle",
    ExitCode.INTERRUPTED: "was interrupted",
}


class Notices:
    """Texts about one run, and which of them it has sent already, on this machine or another."""

    def __init__(self, run: RunFolder, notifier: Notifier, limits: Limits) -> None:
        self._run, self._notifier, self._limits = run, notifier, limits
        self._dollars_told = not notifier or limits.max_usd is None or self._was_told(limits.max_usd)

    def _was_told(self, max_usd: float) -> bool:
        lines = self._run.read_whole_metrics()
        return any(line.get("kind") == "notice" and line.get("max_usd") == max_usd for line in lines)

    def ended(self, code: ExitCode, reason: str, *, usd: float, step: int = 0) -> None:
        """The run ends now; said before the last checkpoint, which may fail.

        Args:
            step: where that is further than the figures that are written down.
        """
        self._send(STATES[code], reason, usd, step)

    def failed(self, error: Exception, *, usd: float) -> None:
        """The run ends with an error; of a sealed run its text is not told, it may name files."""
        text = type(error).__name__
        if not self._run.is_sealed:
            text = f"{text}: {error}".splitlines()[0]
        self._send("failed", text, usd)

    def dollars(self, usd: float, line: dict[str, Any]) -> None:
        """Say once that most of the dollars are spent; a limit that was raised since is told anew.

        Args:
            line: step and costs, for the run's memory of having said it.
        """
        if self._dollars_told or self._limits.max_usd is None or usd < DOLLARS_SHARE * self._limits.max_usd:
            return
        self._dollars_told = True
        self._run.append_metrics({"kind": "notice", "max_usd": self._limits.max_usd, **line})
        self._send(f"has spent {DOLLARS_SHARE:.0%} of its dollars", "still running", usd)

    def _send(self, state: str, reason: str, usd: float, step: int = 0) -> None:
        if not self._notifier:
            return
        name = "/".join(self._run.place.parts[-2:])
        self._notifier.send(f"sonarstack: {name} {state}", self._body(name, state, reason, usd, step))

    def _body(self, name: str, state: str, reason: str, usd: float, step: int) -> str:
        lines = self._run.read_whole_metrics()
        ap50 = max((line["ap50"] for line in lines if line.get("ap50") is not None), default=None)
        step = max(step, *(line.get("step", 0) for line in lines), 0)
        total = max((line.get("total_steps", 0) for line in lines), default=0)
        of = "" if self._limits.max_usd is None else f" of {self._limits.max_usd:g}"
        counted = self._limits.price_usd_per_h > 0 or usd > 0
        return "\n".join(
            (
                f"Run: {name}",
                f"State: {state} ({reason})",
                f"Step: {step}" + (f" of {total}" if total else ""),
                "AP50: " + ("not evaluated yet" if ap50 is None else f"{ap50:.3f} (best so far)"),
                "Dollars: " + (f"{usd:.2f}{of}" if counted else "not counted, no price was given"),
                f"Where: {socket.gethostname()}, {self._run.place}",
            )
        )
