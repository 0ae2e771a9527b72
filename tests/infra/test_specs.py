"""Jobs, GPUs and limits: wrong ones are refused where they are made."""

import pytest

from infra.outcomes import counts_as_ended, outcome_of
from infra.specs import GpuRequest, Limits, TrainingJob


@pytest.mark.parametrize(
    "wrong", [{"max_hours": 0}, {"max_hours": 1, "max_usd": -1}, {"max_hours": float("inf")}]
)
def test_a_limit_is_a_number_above_zero(wrong) -> None:
    with pytest.raises(ValueError, match="must be a number above 0"):
        Limits(**wrong)


def test_a_gpu_has_a_name_and_a_count() -> None:
    with pytest.raises(ValueError, match="models is empty"):
        GpuRequest(models=())
    with pytest.raises(ValueError, match="count=0"):
        GpuRequest(models=("T4",), count=0)


def test_what_is_not_wanted_is_not_set() -> None:
    names = TrainingJob(limits=Limits(max_hours=1), data_url="d").variables()
    assert "SONARSTACK_RUN_URL" not in names
    assert "SONARSTACK_MAX_USD" not in names


def test_dollars_are_not_limited_where_they_have_no_price() -> None:
    limits = Limits(max_hours=1, max_usd=5)
    assert "SONARSTACK_MAX_USD" not in TrainingJob(limits=limits, data_url="d").variables()
    assert (
        TrainingJob(limits=limits, data_url="d", price_usd_per_h=0.5).variables()["SONARSTACK_MAX_USD"] == "5"
    )


def test_a_command_trains_into_its_folder_with_further_words_last() -> None:
    job = TrainingJob(limits=Limits(max_hours=1), data_url="d", train_arguments=("--epochs", "3"))
    assert job.arguments("/runs/a") == ("train", "--run", "/runs/a", "--epochs", "3")


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, "done"), (80, "deadline"), (83, "interrupted"), (1, "failed"), (137, "failed")]
)
def test_codes_tell_how_a_job_ended(code, outcome) -> None:
    assert outcome_of(code) == outcome
    assert counts_as_ended(code) == (outcome != "failed")
