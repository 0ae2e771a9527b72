"""Where everything of one stack's training lies on AWS, by names that are known before any of it exists. Pure."""

from dataclasses import dataclass

from infra.aws.group import group_name
from infra.aws.names import bucket_name, log_group_name, metric_namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Of one stack, one run and one job."""

    account_id: str
    region: str
    stack: str
    stamp: str
    run_name: str
    job_digest: str
    """Another one is another machine."""
    data_digest: str

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return bucket_name(self.account_id, self.region, self.stamp)

    @property
    def data(self) -> str:
        """Prefix of the tiles. Other data lies elsewhere: what a machine reads is never changed under its hands."""
        return f"data/{self.stack}/{self.data_digest}"

    @property
    def run(self) -> str:
        """Prefix of the run."""
        return f"runs/{self.stack}/{self.run_name}"

    @property
    def notes(self) -> str:
        """Prefix of what the machine tells of itself."""
        return f"runs/{self.stack}/host/{self.group}"

    @property
    def group(self) -> str:
        """Name of the group that holds the machine."""
        return group_name(self.stamp, self.job_digest)

    @property
    def log_group(self) -> str:
        """Of program and machine."""
        return log_group_name(self.stamp)

    @property
    def log_stream(self) -> str:
        """Of the container's own output."""
        return f"{self.run_name}/{self.group}"

    @property
    def namespace(self) -> str:
        """Of the metrics."""
        return metric_namespace(self.stamp)
