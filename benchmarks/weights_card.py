"""python -m benchmarks.weights_card --work DIR [--earlier DIR]: the model card from what was measured.

Reads figures.json of ship_weights, synthetic-*.json of synthetic_only, few.jsonl of few_examples, tuned.jsonl of
fine_tuning and contacts.md, what survey_contacts printed, in the folder; and figures.json of the stages before.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from app.detector.model_file import SHIPPED, read_model
from app.storage import write_text
from benchmarks.few_examples import summary

Figures = dict[str, Any]


def main() -> None:
    """Write MODEL_CARD.md beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--earlier", type=Path, action="append", default=[], help="work of a stage before")
    options = parser.parse_args()
    stages = [json.loads((work / "figures.json").read_text()) for work in (*options.earlier, options.work)]
    synthetic = [json.loads(path.read_text()) for path in sorted(options.work.glob("synthetic-*.json"))]
    few, tuned = (_lines(options.work / f"{name}.jsonl") for name in ("few", "tuned"))
    contacts = (options.work / "contacts.md").read_text(encoding="utf-8").strip()
    write_text(SHIPPED.parent / "MODEL_CARD.md", card_text(stages, synthetic, few, tuned, contacts))


def card_text(
    stages: list[Figures],
    synthetic: list[Figures],
    few: list[Figures],
    tuned: list[Figures],
    contacts: str,
) -> str:
    """The card; figures as `ship_weights` and the others write them."""
    last = stages[-1]
    held = ", ".join(f"{count} of {name}" for name, count in last["tiles"].items())
    errors = ", ".join(
        f"{part} {of['calibration']['expected_error']:.3f} ({of['calibration']['detections']} detections)"
        for part, of in last["parts"]["new"].items()
    )
    parameters = sum(p.numel() for p in read_model(SHIPPED)[0].parameters())
    used_s = np.mean([line["processor_s"] for line in tuned])
    return f"""# sonarstack 2: the weights that the project ships

One network of {parameters / 1e6:.2f} million parameters, `sonarstack.pt` (16-bit weights) and `sonarstack.onnx`.
Classes: `target` (small man-made object, about half a metre to two and a half), `ship` (wreck), `aircraft` (wreck).

## Data

| part | what | licence |
| --- | --- | --- |
| simulated | tiles of this project's simulator | this project's |
| surveys | tiles cut from whole simulated surveys, as the demo learns from | this project's |
| sdvd | SDVD: 194 side-scan tiles, a 1.8 m target in a river | ODbL 1.0 |
| wrecks | sonar_detect (Roboflow): 521 pictures of wrecks | CC BY 4.0 |

First simulated tiles alone, from random weights ({synthetic[0]["tiles_seen"]:,} tiles seen); then with the others, in
stages:

| stage | epochs | tile, px | seen in an epoch | AP50 afterwards, kept out: sdvd, wrecks |
| --- | --- | --- | --- | --- |
{chr(10).join(_stage_rows(stages))}

Split by recording minute, scene and near copy: {held} tiles
were kept out, and no group is on both sides. Each stage ends with the running average after its last step: no epoch
was chosen. The tiles kept out were scored after each stage; the last one was added for what whole surveys show, below.
"Before" are the weights that the project shipped earlier, on the same tiles; their epoch had been chosen on these.

## Figures on the tiles kept out (256 px; precision and recall at the confidence with the best F1)

| part | class | boxes | AP50 | AP50:95 | precision | recall | AP50 before | AP50:95 before |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(_rows(last["parts"]))}

The sets are small (25 targets; between two stages one class moved by .11): differences of a few hundredths are chance.

In eight whole simulated surveys of other seeds, without fine-tuning (`survey_contacts`; before.pt the earlier weights):

{contacts}

At equally many false alarms the new weights find more; at the usual confidence of .4 both count fewer.

Calibration: mean distance between confidence and precision, detections from .05 on:
{errors}. A confidence is a rank rather than a probability.

## What simulated tiles are worth

Nothing but simulated tiles, scored on all of both real sets, of which no tile was trained on (the simulator's
parameters were set with these sets in view, by their statistics and by looking at what was found):

| network | simulated tiles seen | set | class | boxes | AP50 | AP50:95 |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(_synthetic_rows(synthetic))}

20 labelled examples of a class and up to 20 empty tiles, from simulated tiles only (the network of three classes above)
against the same from random weights, {few[0]["steps"]} steps of {few[0]["batch"]} tiles each; scored on other groups;
mean ± standard deviation over draws of the 20:

{summary(few)}

{used_s:.0f} processor seconds of one thread ({tuned[0]["steps"]} steps of 16 tiles) on two thirds of sdvd's minutes,
from simulated tiles only (three classes, above) against random weights, scored on the other minutes: three folds, a
sixth of the minutes left out altogether; mean and range over the folds. Recipe `baseline`
needs 186 processor seconds for .753 AP50 in the same folds (`benchmarks/results/accuracy.md`).

| way | folds | AP50 | AP50:95 |
| --- | --- | --- | --- |
{chr(10).join(_tuned_rows(tuned))}

## Not for

Other sonar types than side scan; munitions clearance or any other decision about safety without a person who
looks; counting without a check: on a bottom of rocks, expect false alarms. Real targets of other shapes than
those above were not in the training. `python -m app train --recipe fine_tune` adapts it to one's own sonar.

Made by `python -m benchmarks.synthetic_only`, then `survey_tiles` and `ship_weights` for each stage, `few_examples`,
`fine_tuning` and `weights_card`; the simulator's way to these tiles stands in `benchmarks/results/simulator.md`.
"""


def _stage_rows(stages: list[Figures]) -> list[str]:
    rows = []
    for number, stage in enumerate(stages, 1):
        told, parts = stage["stage"], stage["parts"]["new"]
        times = ", ".join(f"{part} x {told['repeats'][part]}" for part in stage["parts"]["new"])
        sdvd, wrecks = (
            np.mean([c["ap50"] for c in parts[part]["per_class"].values() if c["boxes"]])
            for part in ("sdvd", "wrecks")
        )
        rows.append(
            f"| {number} | {told['epochs']} | {told['size_px']} | {times} | {sdvd:.3f}, {wrecks:.3f} |"
        )
    return rows


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


def _synthetic_rows(synthetic: list[Figures]) -> list[str]:
    return [
        f"| {one['network']} | {one['tiles_seen']:,} | {part} | {name} | {int(c['boxes'])} | {c['ap50']:.3f} | "
        f"{c['ap50_95']:.3f} |"
        for one in synthetic
        for part in ("sdvd", "wrecks")
        for name, c in one.get(part, {}).items()
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
