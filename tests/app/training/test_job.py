"""Taking up a run: what it keeps of its beginning."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.device.choice import choose_device
from app.device.plan import plan_device
from app.errors import ModelError
from app.training.job import plan_as_begun
from tests.app.device.fake_probe import FakeProbe
from tests.app.training.made_run import Notes, tiny_config, tiny_job, write_squares


def test_run_keeps_its_number_format_on_the_same_cpu() -> None:
    """The measurement that chose it may fall out otherwise the next time, and the weights would differ."""
    probe = FakeProbe(cpu=frozenset({"avx512_bf16"}), half_gflop_s=70.0)
    choice = choose_device("cpu", probe=probe)
    began = plan_device(choice, probe=probe)
    assert began.dtype is torch.float32
    probe = replace(probe, half_gflop_s=80.0)
    now = plan_device(choice, probe=probe)
    assert now.dtype is torch.bfloat16
    record = {"device_plan": began.as_dict()}
    assert plan_as_begun(now, record).dtype is torch.float32
    assert plan_as_begun(replace(now, name="another CPU"), record).dtype is torch.bfloat16
    assert plan_as_begun(plan_device(choice, probe=probe, dtype="bfloat16"), record).dtype is torch.bfloat16
    assert plan_as_begun(now, {}).dtype is torch.bfloat16


def test_a_model_that_cannot_be_started_from_begins_no_run(tmp_path: Path) -> None:
    """Else the run would ask for it for ever."""
    data = write_squares(tmp_path / "data", count=8)
    with pytest.raises(ModelError, match=r"typo cannot be read .*; check the path"):
        tiny_job(data, tmp_path / "run", config=tiny_config(start_from=str(tmp_path / "typo")))
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_part_of_the_split_that_is_all_background_is_told(tmp_path: Path) -> None:
    """Two groups, one of them background: the division has no better choice than to leave one part without objects."""
    data = write_squares(tmp_path / "data", count=8)
    for number in range(4, 8):
        (data / "labels" / f"tile{number:03d}.txt").write_text("")
    progress = Notes()
    job = tiny_job(data, tmp_path / "run", progress=progress)
    in_training = any(len(job.tiles.tiles[index].labels) for index in job.split.train)
    assert [note.partition(",")[0] for note in progress.notes if "warning" in note] == [
        f"warning: no tile of the {'validation' if in_training else 'training'} part holds an object"
    ]
    progress.notes.clear()
    tiny_job(write_squares(tmp_path / "whole"), tmp_path / "other", progress=progress)
    assert progress.notes == []
