"""python -m benchmarks.weights_card --work DIR: the model card of the shipped weights from what was measured.

Reads what synthetic_only, ship_weights, few_examples (few.jsonl) and fine_tuning (tuned.jsonl) left in the folder.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from app.detector.model_file import SHIPPED
from app.storage import write_text
from benchmarks.few_examples import summary

Figures = dict[str, Any]


def main() -> None:
    """Write MODEL_CARD.md beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/shipped"))
    options = parser.parse_args()
    read = {
        name: json.loads((options.work / f"{name}.json").read_text()) for name in ("figures", "synthetic")
    }
    lines = {name: _lines(options.work / f"{name}.jsonl") for name in ("few", "tuned")}
    write_text(SHIPPED.parent / "MODEL_CARD.md", card_text(read["figures"], read["synthetic"], **lines))


def card_text(figures: Figures, synthetic: Figures, few: list[Figures], tuned: list[Figures]) -> str:
    """The card; figures as `ship_weights` and the others write them."""
    held = ", ".join(f"{count} of {name}" for name, count in figures["tiles"].items())
    errors = ", ".join(
        f"{part} {of['calibration']['expected_error']:.3f} ({of['calibration']['detections']} detections)"
        for part, of in figures["parts"]["new"].items()
    )
    return f"""# sonarstack 2: the weights that the project ships

One network of 1.03 million parameters, `sonarstack.pt` (16-bit weights) and `sonarstack.onnx`. Classes: `target`
(small man-made object, about half a metre to two and a half), `ship` (wreck), `aircraft` (wreck).

## Data

| part | what | licence |
| --- | --- | --- |
| simulated | {synthetic["tiles"]:,} tiles of this project's simulator | this project's |
| sdvd | SDVD: 194 side-scan tiles, a 1.8 m target in a river | ODbL 1.0 |
| wrecks | sonar_detect (Roboflow): 521 pictures of wrecks | CC BY 4.0 |

First {synthetic["epochs"]} epochs on the simulated tiles alone, from random weights; then {figures["epochs"]} epochs
on all three (in each, sdvd six times and the wrecks three times). Split by recording minute, scene and near copy:
{held} tiles were kept out, and no group is on both sides. The weights are the running average after the last step:
no epoch was chosen on the tiles kept out. They were replaced because both real sets were better than with the
weights before ("before" below: same groups, same program); that is the only choice made on these tiles.

## Figures on the tiles kept out (256 px; precision and recall at the confidence with the best F1)

| part | class | boxes | AP50 | AP50:95 | precision | recall | AP50 before | AP50:95 before |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(_rows(figures["parts"]))}

The sets are small (25 targets in 9 minutes and scenes): differences of a few hundredths are chance.

Calibration: mean distance between confidence and precision, detections from .05 on: {errors}. A confidence is a
rank rather than a probability.

## What the pre-training on simulated tiles is worth

Simulated tiles only, scored on all of both real sets, of which no tile was trained on (the simulator's parameters
were set by looking at statistics of these sets, and nothing else was chosen on them):

| set | class | boxes | AP50 | AP50:95 |
| --- | --- | --- | --- | --- |
{chr(10).join(_synthetic_rows(synthetic))}

20 labelled examples of a class and 20 empty tiles, from the weights above against the same from random weights, equal
steps of {few[0]["batch"]} tiles; scored on other groups; mean ± standard deviation over draws of the 20:

{summary(few)}

30 processor seconds of one thread on two thirds of sdvd's minutes, scored on the others (three folds, some minutes
left out altogether); mean and range over the folds:

| way | folds | AP50 | AP50:95 |
| --- | --- | --- | --- |
{chr(10).join(_tuned_rows(tuned))}

## Not for

Other sonar types than side scan; munitions clearance or any other decision about safety without a person who
looks; counting without a check: on a bottom of rocks, expect false alarms. Real targets of other shapes than
those above were not in the training. `python -m app train --recipe fine_tune` adapts it to one's own sonar.

Made by `python -m benchmarks.synthetic_only`, then `ship_weights`, `few_examples`, `fine_tuning` and `weights_card`;
the simulator's way to these tiles stands in `benchmarks/results/simulator.md`.
"""


def _lines(path: Path) -> list[Figures]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _rows(parts: Figures) -> list[str]:
    rows = []
    for part, new in parts["new"].items():
        for name, c in new["per_class"].items():
            if not c["boxes"]:
                continue
            old = parts["old"][part]["per_class"][name]
            rows.append(
                f"| {part} | {name} | {int(c['boxes'])} | {c['ap50']:.3f} | {c['ap50_95']:.3f} | "
                f"{c['precision']:.3f} | {c['recall']:.3f} | {old['ap50']:.3f} | {old['ap50_95']:.3f} |"
            )
    return rows


def _synthetic_rows(synthetic: Figures) -> list[str]:
    return [
        f"| {part} | {name} | {int(c['boxes'])} | {c['ap50']:.3f} | {c['ap50_95']:.3f} |"
        for part in ("sdvd", "wrecks")
        for name, c in synthetic[part].items()
    ]


def _tuned_rows(tuned: list[Figures]) -> list[str]:
    rows = []
    for way in dict.fromkeys(line["way"] for line in tuned):
        cells = []
        for name in ("ap50", "ap50_95"):
            values = np.array([line[name] for line in tuned if line["way"] == way])
            cells.append(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})")
        rows.append(f"| {way} | {sum(line['way'] == way for line in tuned)} | {' | '.join(cells)} |")
    return rows


if __name__ == "__main__":
    main()
