"""Model files: weights with the shape of their network and a card, in one checked file."""

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch

from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.errors import ModelError

FORMAT = "sonarstack-model"
VERSION = 2
VERSION_1: dict[str, Any] = {"smoothing": True}
"""What files of version 1 do not tell: their networks all had it."""
SHIPPED = Path(__file__).parent / "weights" / "sonarstack.pt"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """What a person must know before using a model; travels inside its file."""

    name: str
    trained_on: str = ""
    """Data sets with licences and the split."""
    size_px: int = 256
    """Tile size it was trained at."""
    figures: dict[str, float] = field(default_factory=dict)
    not_for: str = ""
    code_version: str = ""


def write_model(
    stream: BinaryIO, model: SidescanTargetDetector, card: ModelCard, *, half: bool = False
) -> None:
    """Serialise a model into an open stream; `half` stores 16-bit weights (half the size, .5e-3 relative)."""
    weights = {k: v.detach().cpu() for k, v in model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    payload = {
        "format": FORMAT,
        "version": VERSION,
        "config": asdict(model.config),
        "card": asdict(card),
        "weights": weights,
    }
    torch.save(payload, stream)


def read_model(path: Path, device: torch.device | None = None) -> tuple[SidescanTargetDetector, ModelCard]:
    """Read a model file into evaluation mode on `device` (CPU if None).

    Raises:
        ModelError: no such file, not a model of ours, damaged, or of another version.
    """
    payload = _load(path)
    if payload.get("format") != FORMAT:
        raise ModelError(
            f"{path} is not a sonarstack model; give the model/best.pt of a run, or leave --model out"
        )
    if payload.get("version") not in (1, VERSION):
        raise ModelError(
            f"{path} has model format {payload.get('version')}, this program reads 1 and {VERSION}; "
            "export it again with the sonarstack that trained it"
        )
    try:
        untold = VERSION_1 if payload["version"] == 1 else {}
        config = DetectorConfig(**(untold | _tuples(payload["config"])))
        model = SidescanTargetDetector(config)
        model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in payload["weights"].items()}
        )
        card = ModelCard(**payload["card"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path} is damaged ({type(error).__name__}); copy it again or train anew"
        ) from error
    return model.to(device or torch.device("cpu")).eval(), card


def _load(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        # weights_only: a model file from elsewhere must not run code.
        payload = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path} is not a readable model file ({len(data)} bytes); copy it again, "
            "or give a run's model/best.pt"
        ) from error
    if not isinstance(payload, dict):
        raise ModelError(
            f"{path} is not a sonarstack model; give the model/best.pt of a run, or leave --model out"
        )
    return payload


def _tuples(config: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
