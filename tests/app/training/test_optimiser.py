"""Muon with AdamW, the schedule, the running average."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.training.ema import AveragedModel
from app.training.optimiser import NEWTON_SCHULZ, OptimiserConfig, build_optimiser, orthogonalise
from app.training.schedule import rate_scale
from tests.app.training.made_run import write_squares

SMALL = DetectorConfig(class_names=("target",), widths=(8, 16, 16, 16), neck_width=16)


@pytest.mark.parametrize("shape", [(3, 8, 40), (2, 40, 8), (1, 16, 16)])
def test_singular_values_come_close_to_one(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert values.min() > 0.4
    assert values.max() < 1.3


@pytest.mark.parametrize("rank", [2, 24])
def test_short_form_is_the_iteration_itself(rank: int) -> None:
    """Also where almost all singular values are nothing but rounding, as in a gradient of low rank."""
    torch.manual_seed(1)
    x = torch.randn(2, 24, rank) @ torch.randn(2, rank, 90) + 1e-6 * torch.randn(2, 24, 90)
    x = x.double() / x.double().norm(dim=(1, 2), keepdim=True)
    a, b, c = NEWTON_SCHULZ
    expected = x
    for _ in range(5):
        gram = expected @ expected.transpose(1, 2)
        expected = a * expected + (b * gram + c * gram @ gram) @ expected
    found = orthogonalise(x.float())
    assert (found - expected).abs().max() < 1e-4


def test_every_parameter_is_in_one_group_and_answers_are_not_with_muon() -> None:
    model = SidescanTargetDetector(SMALL)
    optimiser = build_optimiser(model, OptimiserConfig())
    muon, adam = optimiser.param_groups
    assert len(muon["params"]) + len(adam["params"]) == len(list(model.parameters()))
    answers = {id(p) for head in (model.class_head, model.box_head) for p in head[-1].parameters()}
    assert not answers & {id(p) for p in muon["params"]}
    assert all(p.ndim == 4 for p in muon["params"])


def test_state_survives_a_save_and_the_next_step_is_the_same() -> None:
    def run(steps: int, model: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
        for step in range(steps):
            torch.manual_seed(seed + step)
            optimiser.zero_grad()
            sum(((p * torch.randn_like(p)).sum() for p in model.parameters()), torch.tensor(0.0)).backward()
            optimiser.step()

    torch.manual_seed(3)
    one = SidescanTargetDetector(SMALL)
    first = build_optimiser(one, OptimiserConfig())
    run(2, one, first, 10)
    two = SidescanTargetDetector(SMALL)
    two.load_state_dict(one.state_dict())
    second = build_optimiser(two, OptimiserConfig())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(2, one, first, 20)
    run(2, two, second, 20)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_schedule_rises_then_falls_to_its_end() -> None:
    scales = [rate_scale(s, 1000, warmup_steps=60, final=0.01) for s in range(1000)]
    assert scales[0] == pytest.approx(1 / 60)
    assert max(scales) == pytest.approx(1.0)
    assert scales[-1] == pytest.approx(0.01, abs=1e-3)
    assert scales[59:] == sorted(scales[59:], reverse=True)


def test_very_short_run_still_reaches_its_peak() -> None:
    assert max(rate_scale(s, 10, warmup_steps=60, final=0.01) for s in range(10)) == pytest.approx(1.0)


def test_average_moves_towards_the_model() -> None:
    model = nn.Linear(2, 2)
    average = AveragedModel(model, decay=0.5)
    start = average.module.weight.clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    for _ in range(30):
        average.update(model)
    assert torch.allclose(average.module.weight, model.weight, atol=1e-4)
    assert not torch.allclose(average.module.weight, start)


def test_a_training_imports_nothing_of_the_compiler(tmp_path: Path) -> None:
    """2 s of every start, of every resumed run, and of the seconds before an eviction."""
    write_squares(tmp_path / "data", count=8)
    program = (
        "import sys; from pathlib import Path; from tests.app.training.made_run import tiny_job;"
        "from app.training.loop import train; from app.telemetry.progress import Silent;"
        "[train(tiny_job(Path(sys.argv[1]), Path(sys.argv[2])), Silent()) for _ in range(2)];"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data"), str(tmp_path / "run")]
    subprocess.run(command, check=True)
