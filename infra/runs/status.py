"""How far a run is, from its run.json and metrics.jsonl. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """What the last lines of a run's figures say; None is not known yet."""

    step: int = 0
    total_steps: int | None = None
    epoch: int = 0
    """The one that is on, from 1; 0 before the first."""
    epochs: int | None = None
    images_per_s: float | None = None
    loss: float | None = None
    ap50: float | None = None
    memory_gib: float | None = None
    """Of the device, or of the process on a CPU."""
    gpu_percent: float | None = None
    seconds: float = 0.0
    """Spent training so far, machines before this one included."""
    usd: float = 0.0
    seconds_left: float | None = None
    ended: str | None = None
    """The program's own reason, once it has ended."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run_status(record: Mapping[str, Any] | None, metrics: Sequence[Mapping[str, Any]]) -> RunStatus:
    """Read the figures; an empty run is at step 0.

    Args:
        record: run.json, if it is there.
        metrics: lines of metrics.jsonl, oldest first.
    """
    steps = [line for line in metrics if line.get("kind") == "step"]
    last: Mapping[str, Any] = steps[-1] if steps else {}
    newest: Mapping[str, Any] = metrics[-1] if metrics else {}
    scored = [line for line in metrics if line.get("kind") == "epoch"]
    step, total = int(last.get("step", 0)), last.get("total_steps")
    seconds = float(newest.get("seconds") or 0.0)
    over = newest.get("kind") == "end"
    return RunStatus(
        step=step,
        total_steps=total,
        epoch=int(last["epoch"]) + 1 if "epoch" in last else 0,
        epochs=_epochs(record),
        images_per_s=last.get("images_per_s"),
        loss=last.get("loss"),
        ap50=scored[-1].get("ap50") if scored else None,
        memory_gib=_memory_gib(last),
        gpu_percent=last.get("gpu_percent"),
        seconds=seconds,
        usd=float(newest.get("usd") or 0.0),
        seconds_left=None if over or not total else _seconds_left(steps, total),
        ended=str(newest.get("reason")) if over else None,
    )


def parse_metrics(text: bytes) -> list[dict[str, Any]]:
    """Whole lines of metrics.jsonl; one that is being written, or torn by a crash, is left out."""
    whole = text[: text.rfind(b"\n") + 1]
    lines = []
    for line in whole.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            lines.append(value)
    return lines


def parse_record(text: bytes | None) -> dict[str, Any] | None:
    """run.json; None where there is none yet, or only half of one."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _epochs(record: Mapping[str, Any] | None) -> int | None:
    config = (record or {}).get("config")
    epochs = config.get("epochs") if isinstance(config, Mapping) else None
    return int(epochs) if isinstance(epochs, int | float) else None


def _memory_gib(line: Mapping[str, Any]) -> float | None:
    used_mib = line.get("device_used_mib") or line.get("host_used_mib")
    return float(used_mib) / 1024 if used_mib else None


def _seconds_left(steps: Sequence[Mapping[str, Any]], total: int) -> float | None:
    """By the pace of the last lines, evaluation and checkpoints included."""
    recent = steps[-20:]
    done = int(recent[-1]["step"]) - int(recent[0]["step"])
    took = float(recent[-1].get("seconds") or 0) - float(recent[0].get("seconds") or 0)
    if done <= 0 or took <= 0:
        pace = recent[-1].get("batch_s")
        return float(pace) * (total - int(recent[-1]["step"])) if pace else None
    return took / done * (total - int(recent[-1]["step"]))
