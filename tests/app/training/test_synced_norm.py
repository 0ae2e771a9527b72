"""Batch norm over processes, here over the one there is: torch's own is the measure. Two are in test_several.py."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import distributed, nn

from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.training.synced_norm import SyncedBatchNorm, synced_norms


@pytest.fixture
def alone() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_statistics_and_gradients_are_torchs(layout: torch.memory_format) -> None:
    torch.manual_seed(1)
    theirs = nn.BatchNorm2d(5, momentum=0.03)
    nn.init.uniform_(theirs.weight)
    nn.init.normal_(theirs.bias)
    ours = SyncedBatchNorm.over(copy.deepcopy(theirs), 1)
    x = (torch.randn(3, 5, 8, 6) * 4 + 7).to(memory_format=layout)
    pull = torch.randn(3, 5, 8, 6)
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    for norm, value in zip((theirs, ours), inputs, strict=True):
        (norm(value) * pull).sum().backward()
        (norm(value).square().sum() / 100).backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)  # type: ignore[arg-type]
    assert torch.allclose(theirs.weight.grad, ours.weight.grad, rtol=1e-4)  # type: ignore[arg-type]
    assert torch.allclose(theirs.bias.grad, ours.bias.grad, rtol=1e-4)  # type: ignore[arg-type]
    for name, value in theirs.state_dict().items():
        assert torch.allclose(value.float(), ours.state_dict()[name].float(), rtol=1e-5), name
    assert torch.allclose(theirs.eval()(x), ours.eval()(x))


def test_the_network_keeps_names_and_parameters() -> None:
    model = SidescanTargetDetector(DetectorConfig(class_names=("target",)))
    names, parameters = list(model.state_dict()), [id(p) for p in model.parameters()]
    synced = synced_norms(model, on_accelerator=False, processes=2)
    assert list(synced.state_dict()) == names
    assert [id(p) for p in synced.parameters()] == parameters
    assert not any(type(m) is nn.BatchNorm2d for m in synced.modules())
    assert nn.SyncBatchNorm in {
        type(m)
        for m in synced_norms(
            SidescanTargetDetector(DetectorConfig(class_names=("target",))), on_accelerator=True, processes=2
        ).modules()
    }
