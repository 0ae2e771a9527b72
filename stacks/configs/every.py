"""Settings that every target has: frozen models whose docstrings are the help in every error."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from infra.specs import Limits, TrainingJob

ADDRESS = re.compile(r"^[a-z][a-z0-9+]*://", re.IGNORECASE)
SET_BY_STACK = (
    "--run", "--data", "--resume", "--json", "--mirror", "--max-hours", "--max-usd", "--price-usd-per-h",
)  # fmt: skip
"""Options of `python -m app train` that would take the run or its limits out of the stack's sight."""
Contradiction = tuple[tuple[str, ...], str]
"""Keys that do not go together, and the sentence about them."""


def as_number(value: Any) -> Any:
    """A number as Pulumi's files hold it."""
    # Pulumi's own files say 2.0 where a whole number was meant; true and false are no numbers at all.
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _named_gpu(value: str) -> str:
    if not value.strip():
        raise ValueError("holds an empty name")
    return value.strip()


Number = Annotated[float, BeforeValidator(as_number)]
WholeNumber = Annotated[int, BeforeValidator(as_number)]
GpuName = Annotated[str, AfterValidator(_named_gpu)]


class StackSettings(BaseModel):
    """Settings that every target has."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    target: str
    """Which of the targets this stack is."""
    recipe: Literal["smoke", "baseline", "fine_tune"] = "baseline"
    """How to train: smoke (seconds, proves that everything works), baseline or fine_tune."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?|mps|xpu(:\d+)?)$")] = "auto"
    """auto, cpu, cuda, cuda:N, mps, xpu or xpu:N."""
    data_url: str
    """Folder of labelled tiles on this machine (YOLO, COCO or Pascal VOC), or an address the program opens itself."""
    run_url: str | None = None
    """Address the run is also copied to at each checkpoint: s3://, gs://, az://."""
    home: str | None = None
    """Folder on this machine where the run is, or comes home to; runs/STACK if not set."""
    max_hours: Annotated[Number, Field(gt=0, le=720)] = 12.0
    """Hours: the lease, after which the run ends with a checkpoint; up to 720."""
    max_usd: Annotated[Number, Field(gt=0)] | None = None
    """Dollars the whole run may cost; needs a price."""
    idle_minutes: Annotated[Number, Field(gt=0)] | None = None
    """Minutes a GPU may do nothing before the run ends."""
    checkpoint_minutes: Annotated[Number, Field(gt=0, le=1440)] = 10.0
    """Minutes between checkpoints, the most that a crash can lose."""
    train_arguments: tuple[str, ...] = ()
    """Further words for `python -m app train`, such as ["--epochs", "3"]."""
    wait: bool = False
    """Whether `up` stays until the job has ended, and fails with it."""
    rerun: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    """Letters and digits, such as 2; another value asks for another run, in a folder of its own."""

    @property
    def data_is_remote(self) -> bool:
        """Whether the program fetches the data itself."""
        return ADDRESS.match(self.data_url) is not None

    @property
    def hourly_price_usd(self) -> float:
        """What an hour costs at most, as far as the settings know: the user's own ceiling."""
        return 0.0

    def limits(self) -> Limits:
        """The ceilings, as infra has them."""
        return Limits(
            max_hours=self.max_hours,
            max_usd=self.max_usd,
            max_usd_per_h=self.hourly_price_usd or None,
            idle_minutes=self.idle_minutes,
        )

    def job(self, *, data: str) -> TrainingJob:
        """The job, with the data where it will lie for the program."""
        return TrainingJob(
            limits=self.limits(),
            data_url=data,
            recipe=self.recipe,
            device=self.device,
            run_url=self.run_url,
            checkpoint_minutes=self.checkpoint_minutes,
            price_usd_per_h=self.hourly_price_usd,
            train_arguments=self.train_arguments,
        )

    def contradictions(self) -> Iterator[Contradiction]:
        """Settings that are right alone and wrong together."""
        if self.run_url is not None and not ADDRESS.match(self.run_url):
            yield (
                ("runUrl",),
                f"sonarstack:runUrl={self.run_url!r} is no address; give s3://, gs:// or az://, "
                "or set sonarstack:home for a folder on this machine",
            )
        if self.max_usd is not None and not self.hourly_price_usd:
            yield (
                ("maxUsd", "maxUsdPerH", "priceUsdPerH"),
                f"sonarstack:maxUsd={self.max_usd:g} cannot be counted without a price; "
                f"set sonarstack:{'priceUsdPerH' if self.target == 'local' else 'maxUsdPerH'} too",
            )
        given = {word.partition("=")[0] for word in self.train_arguments}
        for word in SET_BY_STACK:
            if word in given:
                yield (
                    ("trainArguments",),
                    f"sonarstack:trainArguments holds {word}, which the stack sets itself; remove it",
                )
