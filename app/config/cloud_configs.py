"""How the program behaves on a rented machine: where logs go, what it may spend; never what is rented."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CloudConfig(BaseModel):
    """Limits and addresses; on one's own machine all of them are left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["local", "aws", "azure", "gcp"] = "local"
    """Whose machine this is: its interruption notices are watched."""
    metadata_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where a machine asks about itself, instead of the cloud's own address."""
    log_provider: Literal["local", "aws", "azure", "gcp"] = "local"
    """Where records go besides the run's own log.jsonl."""
    log_group: str | None = None
    """aws: name or ARN of a log group; gcp: name of a log, or projects/PROJECT/logs/NAME; azure:
    https://ENDPOINT/dataCollectionRules/RULE/streams/STREAM, as its REST interface has it."""
    run_url: str | None = None
    """Where the run is mirrored at each checkpoint: s3://, gs://, az:// or a folder."""
    max_hours: float | None = Field(default=None, gt=0, le=10_000)
    max_usd: float | None = Field(default=None, gt=0)
    spent_usd: float = Field(default=0.0, ge=0)
    """What earlier machines cost this run."""
    price_usd_per_h: float = Field(default=0.0, ge=0)
    idle_minutes: float | None = Field(default=None, gt=0)
    """An accelerator that does nothing for so long ends the run; not watched on a CPU."""
    checkpoint_minutes: float = Field(default=10.0, gt=0)
    sealed: bool = False
    """Data and run lie encrypted; without SONARSTACK_SEAL_KEY nothing is begun."""
    secret_id: str | None = None
    """Secret to read notify_url and the seal key from: aws:, gcp:, azure: or env:, and its name there."""
    notify_url: str | None = Field(default=None, repr=False)
    """Who gets messages: apprise URLs, separated by blanks or commas. They may hold tokens."""
