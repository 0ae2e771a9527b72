"""A whole simulated survey on disk: one XTF file a line, and the truth."""

from dataclasses import dataclass
from pathlib import Path

from app.sonar.simulator.line import line_blocks, line_truth
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.scene import draw_scene
from app.sonar.simulator.truth import Truth
from app.sonar.simulator.truth_writer import write_truth_coco, write_truth_geojson
from app.sonar.simulator.xtf_writer import write_xtf
from app.sonar.waterfall import Waterfall
from app.telemetry.progress import Progress, Silent

__all__ = ["SimulatedSurvey", "SurveyPlan", "simulate_survey"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedSurvey:
    """Where it lies and what is in it."""

    files: tuple[Path, ...]
    """XTF, in the order of the lines."""
    truth_coco: Path
    truth_geojson: Path
    truth: tuple[Truth, ...]
    laid: int
    """Objects with a label on the bottom, whether or not a line lights them."""


def simulate_survey(plan: SurveyPlan, out_dir: Path, progress: Progress | None = None) -> SimulatedSurvey:
    """Write `line-NN.xtf`, `truth.coco.json` and `truth.geojson` into a folder, which is made if need be.

    Raises: OutputError if the folder cannot be written.
    """
    progress = progress or Silent()
    progress.start("simulating survey", plan.lines * plan.pings)
    scene = draw_scene(plan)
    files: list[Path] = []
    truth: list[Truth] = []
    for line in range(plan.lines):
        path = out_dir / plan.line_name(line)
        write_xtf(path, (_counted(block, progress) for block in line_blocks(plan, line, scene)))
        truth += line_truth(plan, line, scene)
        files.append(path)
    coco, geojson = out_dir / "truth.coco.json", out_dir / "truth.geojson"
    write_truth_coco(coco, plan, truth)
    write_truth_geojson(geojson, truth)
    progress.done()
    return SimulatedSurvey(
        files=tuple(files),
        truth_coco=coco,
        truth_geojson=geojson,
        truth=tuple(truth),
        laid=len(scene.objects),
    )


def _counted(block: Waterfall, progress: Progress) -> Waterfall:
    progress.advance(block.pings)
    return block
