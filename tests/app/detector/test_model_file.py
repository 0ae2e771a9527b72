"""Model files: what was written is read, and nothing else is."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.detector.model_file import ModelCard, read_model, write_model
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.errors import ModelError

SMALL = DetectorConfig(class_names=("target", "ship"), widths=(8, 16, 16, 16), neck_width=16)


def written(tmp_path: Path, *, half: bool = False) -> tuple[Path, SidescanTargetDetector]:
    model = SidescanTargetDetector(SMALL).eval()
    path = tmp_path / "m.pt"
    with path.open("wb") as stream:
        write_model(stream, model, ModelCard(name="small", figures={"ap50": 0.5}), half=half)
    return path, model


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path, model = written(tmp_path)
    again, card = read_model(path)
    assert again.config == SMALL
    assert card.figures == {"ap50": 0.5}
    image = torch.rand(1, 1, 64, 64)
    assert torch.equal(model.predict(image)[1], again.predict(image)[1])


def test_half_precision_halves_the_file_and_barely_moves_the_answer(tmp_path: Path) -> None:
    full, _ = written(tmp_path)
    size = full.stat().st_size
    half, _ = written(tmp_path, half=True)
    assert half.stat().st_size < 0.7 * size
    again, _ = read_model(half)
    assert next(again.parameters()).dtype is torch.float32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable model file"),
        (b"hello", "not a readable model file"),
        ({"weights": {}}, "is not a sonarstack model"),
        ([1, 2], "is not a sonarstack model"),
        ({"format": "sonarstack-model", "version": 99}, "format 99, this program reads 1 and 2"),
        ({"format": "sonarstack-model", "version": 1, "config": {"nonsense": 1}}, "is damaged"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "bad.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match=message) as caught:
        read_model(path)
    assert "\n" not in str(caught.value)


def test_file_of_version_1_has_a_smoothing_convolution_that_it_does_not_tell_of(tmp_path: Path) -> None:
    model = SidescanTargetDetector(replace(SMALL, smoothing=True)).eval()
    path = tmp_path / "old.pt"
    buffer = io.BytesIO()
    write_model(buffer, model, ModelCard(name="old"))
    buffer.seek(0)
    payload = torch.load(buffer)
    payload["version"] = 1
    del payload["config"]["smoothing"]
    torch.save(payload, path)
    again, _ = read_model(path)
    image = torch.rand(1, 1, 64, 64)
    assert torch.equal(model.predict(image)[1], again.predict(image)[1])


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="check the path"):
        read_model(tmp_path / "none.pt")


def test_file_cannot_run_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (eval, ("__import__('pathlib').Path('/tmp/sonarstack-trap').touch()",))

    path = tmp_path / "trap.pt"
    torch.save({"format": Trap()}, path)
    with pytest.raises(ModelError):
        read_model(path)
    assert not Path("/tmp/sonarstack-trap").exists()
