"""What is wanted, on any cloud: a job, a GPU, limits. Pure values; the seam's variables are made here."""

from dataclasses import dataclass, field

SEAM_VERSION = 1
"""Version of the SONARSTACK_* variables; images carry it as the label `org.sonarstack.seam`."""
SEAM_LABEL = "org.sonarstack.seam"
SEAL_KEY = "SONARSTACK_SEAL_KEY"
"""Secret variable of a sealed job: never among `variables()`, which stand in the state; see infra/seal."""
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
RECIPES = ("smoke", "baseline", "fine_tune")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Ceilings of one run. They bound what a stack can cost; None is no ceiling of that kind."""

    max_hours: float
    """The lease: no machine lives longer."""
    max_usd_per_h: float | None = None
    """Highest price of a machine; on spot markets the bid."""
    max_usd: float | None = None
    """For the whole run, earlier machines included."""
    idle_minutes: float | None = None
    """A GPU that does nothing for so long ends the run."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}={value} must be a number above 0, or left out where it may be")


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuRequest:
    """Which GPUs would do, best first."""

    models: tuple[str, ...]
    """Names as in the price table: RTX 4090, A100 80GB, T4."""
    count: int = 1
    min_vram_gib: float | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models is empty; name at least one GPU, such as RTX 4090")
        if self.count < 1:
            raise ValueError(f"count={self.count} must be 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJob:
    """One training as the program understands it: variables and one command.

    Paths are those of the place where it runs; whoever places the job mounts or uploads accordingly.
    """

    limits: Limits
    data_url: str
    """Folder of labelled tiles, or an address the program opens itself."""
    recipe: str = "baseline"
    device: str = "auto"
    nproc: str | None = None
    """Processes that train together on the machine: a number, or `auto` for one each GPU; None is one."""
    run_url: str | None = None
    """Address that the run is mirrored to at each checkpoint."""
    checkpoint_minutes: float = 10.0
    price_usd_per_h: float = 0.0
    spent_usd: float = 0.0
    """What earlier machines cost this run."""
    cloud: str | None = None
    """Whose machine it is: aws, azure, gcp; the program watches its interruption notices."""
    log_provider: str = "local"
    log_group: str | None = None
    sealed: bool = False
    """Data and run lie encrypted at the host; the program begins nothing without `SEAL_KEY`."""
    secret_id: str | None = None
    notify_url: str | None = None
    train_arguments: tuple[str, ...] = field(default=())
    """Further words for `python -m app train`, such as --epochs 3."""

    def variables(self) -> dict[str, str]:
        """The seam: SONARSTACK_* names and texts; what is not wanted is left out."""
        values = {
            "SONARSTACK_SEAM": SEAM_VERSION,
            "SONARSTACK_DATA_URL": self.data_url,
            "SONARSTACK_RUN_URL": self.run_url,
            "SONARSTACK_RECIPE": self.recipe,
            "SONARSTACK_DEVICE": self.device,
            "SONARSTACK_NPROC": self.nproc,
            "SONARSTACK_MAX_HOURS": self.limits.max_hours,
            # Dollars can only be counted where they have a price.
            "SONARSTACK_MAX_USD": self.limits.max_usd if self.price_usd_per_h > 0 else None,
            "SONARSTACK_SPENT_USD": self.spent_usd or None,
            "SONARSTACK_PRICE_USD_PER_H": self.price_usd_per_h or None,
            "SONARSTACK_IDLE_MINUTES": self.limits.idle_minutes,
            "SONARSTACK_CHECKPOINT_MINUTES": self.checkpoint_minutes,
            "SONARSTACK_CLOUD": self.cloud,
            "SONARSTACK_LOG_PROVIDER": self.log_provider,
            "SONARSTACK_LOG_GROUP": self.log_group,
            "SONARSTACK_SEALED": 1 if self.sealed else None,
            "SONARSTACK_SECRET_ID": self.secret_id,
            "SONARSTACK_NOTIFY_URL": self.notify_url,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    def arguments(self, run: str) -> tuple[str, ...]:
        """Words after `python -m app` (or after the image's name): train into the folder `run`, or go on there."""
        return ("train", "--run", run, *self.train_arguments)
