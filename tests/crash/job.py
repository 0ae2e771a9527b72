"""Stands in for `python -m app train --run RUN`: seconds instead of hours, the same files, signals and exit codes.

A program on its own. Its first argument is a ledger beside the pods, which no crash of a pod, plugin or engine touches:
there it stands what was ever computed, so that what was lost can be counted.
"""

import hashlib
import json
import signal
import sys
import time
from pathlib import Path

STEP_S, CHECKPOINT_STEPS = 0.05, 10
DONE, INTERRUPTED = 0, 83


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def append(path: Path, **values: object) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(values) + "\n")


def checkpoint(run: Path, step: int) -> None:
    text = f"weights after {step} steps\n"
    write(run / "checkpoints" / f"step-{step}.pt", text)
    write(run / "checkpoints" / "latest.json", json.dumps({"step": step, "file": f"step-{step}.pt"}))
    for old in (run / "checkpoints").glob("step-*.pt"):
        if old.name != f"step-{step}.pt":
            old.unlink()


def manifest(run: Path, *, complete: bool) -> None:
    files = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "manifest.json" and not path.name.endswith(".part")
    }
    write(run / "manifest.json", json.dumps({"complete": complete, "files": files}))


def last_step(run: Path) -> int:
    try:
        return int(json.loads((run / "checkpoints" / "latest.json").read_text())["step"])
    except FileNotFoundError:
        return 0


def main(ledger: Path, run: Path, steps: int) -> int:
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    step = last_step(run)
    if not (run / "run.json").exists():
        write(run / "run.json", json.dumps({"config": {"epochs": steps}, "began": time.time()}))
    append(ledger, begins_at=step)
    while step < steps and not told:
        time.sleep(STEP_S)
        step += 1
        append(ledger, step=step)
        append(run / "metrics.jsonl", kind="step", step=step, total_steps=steps, seconds=step * STEP_S)
        if step % CHECKPOINT_STEPS == 0:
            checkpoint(run, step)
    checkpoint(run, step)
    why = "done" if step >= steps else "interrupted"
    append(run / "metrics.jsonl", kind="end", step=step, reason=why)
    manifest(run, complete=step >= steps)
    append(ledger, ended_at=step)
    return DONE if step >= steps else INTERRUPTED


if __name__ == "__main__":
    words = sys.argv[2:]
    sys.exit(
        main(
            Path(sys.argv[1]),
            Path(words[words.index("--run") + 1]),
            int(words[words.index("--epochs") + 1]),
        )
    )
