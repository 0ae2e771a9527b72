"""The accuracy benchmark's table: mean and spread over folds and seeds, paired differences to the base."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy_run import Run
from benchmarks.accuracy_scores import BASE_AVERAGE, BASE_READING, OVERLAPS

BASE = f"{BASE_AVERAGE}/{BASE_READING}"
Scored = dict[Run, dict[str, Any]]
Key = tuple[str, int]
"""Variant and epochs."""


def spread(values: Sequence[float], *, signed: bool = False) -> str:
    """Mean and standard deviation, as in a table."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):{'+' if signed else ''}.3f} ± {deviation:.3f}"


def variant_rows(scored: Scored, reading: str = BASE) -> list[str]:
    """A row for each variant and length: figures, and the difference to `plain` of the nearest length."""
    groups = _groups(scored)
    plain = sorted((k for k in groups if k[0] == "plain"), key=lambda k: k[1])
    rows = [
        "| variant | epochs | runs | AP50 | AP50:95 | precision | recall | AP50 - plain's | AP50:95 - plain's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key in sorted(groups):
        figures = [_columns(groups[key], reading, name) for name in ("ap50", "ap50_95")]
        precision, recall = _precision_recall(groups[key], reading)
        paired = ["-", "-"]
        if plain and key not in plain:
            near = min(plain, key=lambda k: abs(k[1] - key[1]))
            paired = [
                _paired(groups[key], groups[near], reading, reading, name) for name in ("ap50", "ap50_95")
            ]
            paired[0] += f" ({near[1]} epochs)"
        cells = [key[0], str(key[1]), str(len(groups[key])), *(spread(f) for f in figures)]
        cells += [spread(precision), spread(recall), *paired]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def reading_rows(scored: Scored) -> list[str]:
    """A row for each way to read a network, against the usual one, over all runs of all variants."""
    runs = list(scored)
    names = [n for n in scored[runs[0]] if n != BASE and all(n in scored[r] for r in runs)] if runs else []
    rows = [
        "| average of weights / reading | runs | AP50 | AP50:95 | AP50 - the usual | AP50:95 - the usual |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in [BASE, *names]:
        cells = [name, str(len(runs))]
        cells += [spread(_columns(scored, name, figure)) for figure in ("ap50", "ap50_95")]
        if name == BASE:
            cells += ["-", "-"]
        else:
            for figure in ("ap50", "ap50_95"):
                usual = _columns(scored, BASE, figure)
                values = _columns(scored, name, figure)
                cells.append(spread([v - u for v, u in zip(values, usual, strict=True)], signed=True))
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def overlap_rows(scored: Scored) -> list[str]:
    """A row for each variant and length: what is lost to the extent of the boxes and not to the finding."""
    rows = [
        f"| variant | epochs | {' | '.join(f'AP at IoU {iou}' for iou in OVERLAPS)} |",
        "| --- | --- " + "| --- " * len(OVERLAPS) + "|",
    ]
    for (name, epochs), runs in sorted(_groups(scored).items()):
        figures = [s[BASE]["ap_by_iou"] for s in runs.values() if "ap_by_iou" in s[BASE]]
        if figures:
            cells = [spread(column) for column in zip(*figures, strict=True)]
            rows.append(f"| {name} | {epochs} | {' | '.join(cells)} |")
    return rows


def _groups(scored: Scored) -> dict[Key, Scored]:
    groups: dict[Key, Scored] = defaultdict(dict)
    for run, scores in scored.items():
        groups[(run.name, run.epochs)][run] = scores
    return groups


def _columns(scored: Scored, reading: str, figure: str) -> list[float]:
    return [float(scores[reading][figure]) for scores in scored.values()]


def _paired(one: Scored, other: Scored, reading: str, other_reading: str, figure: str) -> str:
    """Difference of the runs of the same fold and seed."""
    by_place = {(run.fold, run.seed): scores for run, scores in other.items()}
    pairs = [
        scores[reading][figure] - by_place[run.fold, run.seed][other_reading][figure]
        for run, scores in one.items()
        if (run.fold, run.seed) in by_place
    ]
    return spread(pairs, signed=True) if pairs else "-"


def _precision_recall(scored: Scored, reading: str) -> tuple[list[float], list[float]]:
    """At a confidence that the other folds chose (best F1 there), never the part that is scored."""
    precisions, recalls = [], []
    for run, scores in scored.items():
        others = [s[reading]["best_threshold"] for r, s in scored.items() if r.fold != run.fold]
        others = others or _thresholds_of_folds(run, reading)
        precision, recall = at_threshold(scores[reading], float(np.mean(others)) if others else 0.5)
        precisions.append(precision)
        recalls.append(recall)
    return precisions, recalls


def _thresholds_of_folds(run: Run, reading: str) -> list[float]:
    """What this variant's finished folds chose; for the part kept aside."""
    paths = run.results.glob(f"{run.name}-e{run.epochs}-f[0-9]*-s{run.seed}.scores.json")
    stored = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in paths
        if path.name[: len(run.stem)] != run.stem
    ]
    return [float(scores[reading]["best_threshold"]) for scores in stored if reading in scores]


def at_threshold(figures: dict[str, Any], threshold: float) -> tuple[float, float]:
    """Precision and recall of stored matches."""
    kept = np.asarray(figures["scores"]) >= threshold
    found = int(np.asarray(figures["hits"], dtype=int)[kept].sum()) if kept.any() else 0
    return found / max(int(kept.sum()), 1), found / max(int(figures["boxes"]), 1)


def headlines(scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Figures of every reading without the single matches."""
    return {
        name: {k: round(figures[k], 4) for k in ("ap50", "ap50_95", "best_threshold")}
        for name, figures in scores.items()
    }


def machine_lines(told: Iterable[dict[str, Any]]) -> list[str]:
    """Machines, dates and processor time of the runs."""
    machines = sorted({f"{t['machine']}, {t['date']}" for t in told})
    return [f"Machine: {m}" for m in machines]
