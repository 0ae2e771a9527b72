"""python -m benchmarks.survey_contacts WEIGHTS...: what weights find in whole simulated surveys, and what is no object.

Surveys as the demo's, of other seeds than those that `benchmarks.survey_tiles` trains on; without fine-tuning.
Contacts are counted at several confidences: weights are compared at equally many false alarms, not at equal confidence.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.demonstration import LINES, PINGS, contacts_against_truth
from app.detector.detections import Runtime
from app.detector.model_file import SHIPPED
from app.detector.torch_runtime import TorchRuntime
from app.sonar.simulator.survey import SimulatedSurvey, SurveyPlan, simulate_survey
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions
from app.telemetry.progress import Silent
from benchmarks.fitting import one_thread

CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def main() -> None:
    """One line of Markdown for each file and confidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="*", default=[SHIPPED])
    parser.add_argument("--surveys", type=int, default=8)
    parser.add_argument("--seed", type=int, default=500, help="of the first")
    options = parser.parse_args()
    plan = one_thread()
    runtimes = {path: TorchRuntime.from_file(path, plan=plan) for path in options.weights}
    counts = {path: {confidence: [0, 0, 0] for confidence in CONFIDENCES} for path in runtimes}
    for survey in _surveys(range(options.seed, options.seed + options.surveys)):
        for path, runtime in runtimes.items():
            _count(counts[path], survey, runtime)
    print("| weights | confidence | found | of | false alarms |\n| --- | --- | --- | --- | --- |")
    for path, at in counts.items():
        for confidence, (found, false_alarms, laid) in at.items():
            print(f"| {path.name} | {confidence} | {found} | {laid} | {false_alarms} |")


def _surveys(seeds: Sequence[int]) -> Iterator[SimulatedSurvey]:
    """One at a time, on disk while it is looked at."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            yield simulate_survey(SurveyPlan(seed=seed, lines=LINES, pings=PINGS), Path(folder), Silent())


def _count(at: dict[float, list[int]], survey: SimulatedSurvey, runtime: Runtime) -> None:
    result = detect_survey(survey.files, runtime, SurveyOptions(workers=1, min_score=min(at)), Silent())
    curve = contacts_against_truth(result, survey)
    for confidence, sums in at.items():
        point = curve.at_threshold(confidence)
        for place, value in enumerate((point.found, point.false_alarms, len(survey.truth))):
            sums[place] += value


if __name__ == "__main__":
    main()
