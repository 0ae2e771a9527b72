"""What a finished run leaves: the exported model, its figures, its card, and a manifest that says complete."""

from app.detector.export import export_onnx
from app.detector.model_file import read_model
from app.detector.torch_runtime import TorchRuntime
from app.evaluation.evaluate import evaluate_model
from app.evaluation.score import Scores
from app.storage import write_json, write_text
from app.telemetry.progress import Progress
from app.training.job import TrainJob


def finish_run(job: TrainJob, progress: Progress) -> Scores:
    """Score the best model on the validation part, export it, write card and manifest.

    Raises:
        ModelError: the exported network does not answer as torch does.
        OutputError: the run cannot be written.
    """
    run = job.run
    model, card = read_model(run.best_model)
    runtime = TorchRuntime(model, plan=job.plan, name=card.name)
    validation = job.tiles.subset(job.split.val)
    scores, _ = evaluate_model(runtime, validation, size_px=job.config.size_px, progress=progress)
    check = export_onnx(model, run.best_model.with_suffix(".onnx"), card=card)
    write_json(run.path / "evaluation.json", {**scores.as_dict(), "split": "val"})
    write_text(run.path / "model" / "MODEL_CARD.md", _card(job, scores))
    progress.note(
        f"exported {run.best_model.with_suffix('.onnx').name}: {check.size_bytes / 2**20:.1f} MiB, "
        f"boxes within {check.box_difference_px:.2g} px of torch's"
    )
    return scores


def _card(job: TrainJob, scores: Scores) -> str:
    rows = "\n".join(
        f"| {name} | {int(figures['boxes'])} | {figures['ap50']:.3f} | {figures['ap50_95']:.3f} |"
        for name, figures in scores.per_class.items()
    )
    config = job.config
    return f"""# Model of this run

- Recipe {config.name}: {config.epochs} epochs, tiles of {config.size_px} px, seed {config.seed}.
- Data: {job.tiles.root.name}, {len(job.split.train)} tiles to train, {len(job.split.val)} to validate.
  No survey line, minute or near copy is on both sides.
- Validation: AP50 {scores.ap50:.3f}, AP50:95 {scores.ap50_95:.3f}, precision {scores.precision:.3f} and recall
  {scores.recall:.3f} at confidence {scores.threshold:.2f}, {scores.boxes} boxes in {scores.images} tiles.
  The best epoch was chosen on these same tiles: data of another day will score lower.

| class | boxes | AP50 | AP50:95 |
| --- | --- | --- | --- |
{rows}

Not for: other sonar types than side scan, frequencies and ranges far from the training data's, or any decision
about safety without a person who looks.
"""
