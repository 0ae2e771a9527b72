"""A run's figures, read where it lies."""

from typing import Any

from infra.hosts.host import Host
from infra.runs.manifest import RECORD
from infra.runs.status import parse_metrics, parse_record

FIGURES = "metrics.jsonl"
"""In clear also where the run is sealed."""


def read_figures(host: Host, path: str) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """What `run_status` takes: the record, None where there is none yet, and the lines of figures, oldest first.

    Raises:
        HostError: the machine cannot be reached.
    """
    metrics = parse_metrics(host.read(f"{path}/{FIGURES}") or b"")
    return parse_record(host.read(f"{path}/{RECORD}")), metrics
