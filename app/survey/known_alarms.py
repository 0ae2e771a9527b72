"""What a model is known to cry wolf, kept beside its file, so that a survey can be searched at a wanted rate."""

import json
from collections.abc import Sequence
from pathlib import Path

from app.errors import ModelError
from app.evaluation.false_alarms import EmptyGround, FalseAlarmPoint, strictest
from app.storage import sha256_file, write_json

SUFFIX = ".false_alarms.json"
WITH_WEIGHTS = (".pt", ".onnx")


def keep_alarms(model: Path, grounds: Sequence[EmptyGround]) -> Path:
    """Write what was found with a model file beside it, for every runtime of the same model; the path.

    Raises:
        OutputError: it cannot be written.
    """
    beside = model.with_suffix(SUFFIX)
    weights = {p.name: sha256_file(p) for p in (model.with_suffix(s) for s in WITH_WEIGHTS) if p.is_file()}
    write_json(beside, {"weights": weights, "grounds": [ground.as_dict() for ground in grounds]})
    return beside


def threshold_for(model: Path, wanted_per_km2: float) -> FalseAlarmPoint:
    """The lowest confidence that gave no more than the wanted rate on any of the grounds looked at.

    Raises:
        ModelError: nobody looked, or at other weights.
    """
    beside = model.with_suffix(SUFFIX)
    look = f"python -m app evaluate --model {model} --false-alarms-per-km2 {wanted_per_km2:g} --keep"
    advice = f"look, and keep what is found: {look}"
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))
        grounds = [EmptyGround.from_dict(values) for values in told["grounds"]]
        weights = dict(told["weights"])
        files = {model.with_name(name): digest for name, digest in weights.items()}
        if model not in files or any(p.is_file() and sha256_file(p) != d for p, d in files.items()):
            raise ModelError(f"{beside} was made with other weights than {model} holds now; {advice}")
        return strictest(grounds, wanted_per_km2)
    except FileNotFoundError as error:
        raise ModelError(f"nobody knows how often {model} raises false alarms; {advice}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{beside} is damaged ({type(error).__name__}); {advice}") from error
