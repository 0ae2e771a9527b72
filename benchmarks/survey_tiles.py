"""python -m benchmarks.survey_tiles --out DIR: labelled tiles cut from simulated surveys, as the demo learns from.

Whole surveys show small targets at 8 to 25 cm a pixel, between tiles that hold nothing: weights that never saw such
tiles find a third fewer of them.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from app.dataset.read import read_tiles
from app.dataset.survey_import import ImportOptions, import_survey
from app.dataset.tiles import TileSet
from app.demonstration import LINES, PINGS
from app.sonar.simulator.survey import SurveyPlan, simulate_survey
from app.telemetry.progress import Silent


def main() -> None:
    """A folder of tiles for each survey; those that are there are left alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--surveys", type=int, default=24)
    parser.add_argument("--seed", type=int, default=9000, help="of the first; the demo's is 7")
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.surveys):
        folder = options.out / f"survey-{seed}"
        if folder.is_dir():
            continue
        with tempfile.TemporaryDirectory() as work:
            made = simulate_survey(SurveyPlan(seed=seed, lines=LINES, pings=PINGS), Path(work), Silent())
            importing = ImportOptions(seed=seed)
            import_survey(made.files, made.truth_geojson, folder, options=importing, progress=Silent())
        print(f"{folder}: {len(read_tiles(folder)[0])} tiles", flush=True)


def read_survey_tiles(out: Path) -> TileSet:
    """All of them as one set, a survey a group.

    Raises:
        FileNotFoundError: there is none.
    """
    sets = [(folder.name, read_tiles(folder)[0]) for folder in sorted(out.iterdir()) if folder.is_dir()]
    if not sets:
        raise FileNotFoundError(
            f"{out} holds no survey's tiles; make some with python -m benchmarks.survey_tiles"
        )
    tiles = tuple(replace(tile, group=name) for name, part in sets for tile in part.tiles)
    return replace(sets[0][1], tiles=tiles)


if __name__ == "__main__":
    main()
