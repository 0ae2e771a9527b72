"""What own runtimes take out of the exported file: pixel blocks as torch orders them, a graph without boxes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from app.detector.export import export_onnx
from app.detector.exported import CLASS_LOGITS, FEATURES, PIXELS, pixel_blocks, read_exported
from app.errors import ModelError
from tests.app.detector.test_export import CARD, lively_model


def test_pixel_blocks_are_torchs_unshuffled_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 96), dtype=np.uint8)
    unshuffled = torch.nn.functional.pixel_unshuffle(torch.from_numpy(images).unsqueeze(1), 4)
    assert np.array_equal(pixel_blocks(images), unshuffled.permute(0, 2, 3, 1).numpy())
    assert np.array_equal(pixel_blocks(images[:, ::-1]), pixel_blocks(images[:, ::-1].copy()))


def test_pixels_that_the_strides_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="images of 64 x 50 px: height and width must be multiples of 32"):
        pixel_blocks(np.zeros((1, 64, 50), np.uint8))


@pytest.mark.parametrize("half", [False, True])
def test_cut_graph_is_valid_and_has_no_box_branch(tmp_path: Path, half: bool) -> None:
    export_onnx(lively_model(), tmp_path / "m.onnx", card=CARD, half=half)
    model = read_exported(tmp_path / "m.onnx")
    graph = onnx.load_from_string(model.graph)
    onnx.checker.check_model(graph, full_check=True)
    assert [i.name for i in graph.graph.input] == [PIXELS]
    assert [o.name for o in graph.graph.output] == [CLASS_LOGITS, FEATURES]
    assert not any("box_head" in i.name for i in graph.graph.initializer)
    assert not any(node.op_type == "Softmax" for node in graph.graph.node)
    assert model.class_names == ("target", "ship")
    assert model.precision == "float32"
    assert model.box_head.hidden_weight.shape == (9 * 16, 16)


def test_file_without_the_box_branch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    export_onnx(lively_model(), path, card=CARD)
    graph = onnx.load(path)
    for value in graph.graph.initializer:
        if value.name.endswith("box_head.2.bias"):
            value.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(value), "other"))
    onnx.save(graph, path)
    with pytest.raises(ModelError, match=r"lacks box_head\.2\.bias; export it again"):
        read_exported(path)
