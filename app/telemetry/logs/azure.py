"""Azure Monitor, by azure-monitor-ingestion: rows for the stream of a data collection rule.

Source: Logs Ingestion API: POST ENDPOINT/dataCollectionRules/RULE/streams/STREAM?api-version=2023-01-01, 1 MB a call,
64 KiB a field, TimeGenerated in every row; a repeated call makes doubles, with the same Id. azure-monitor-ingestion
1.1: `LogsIngestionClient(endpoint, credential).upload(rule_id, stream_name, logs)` cuts at 1 MB, so we stay below.
"""

import logging
import re
from collections.abc import Sequence
from typing import Any

from app.errors import SettingsError
from app.telemetry.logs.record import LogRecord
from app.telemetry.logs.sender import RefusedError, Sent

ADDRESS = re.compile(r"(https://[^/]+)/dataCollectionRules/([^/]+)/streams/([^/?]+)")

CONNECT_S, READ_S = 5.0, 20.0
"""The SDK's own are five minutes."""


class MonitorSender:
    """One stream, such as Custom-Sonarstack, of a rule whose table has the columns of `row`."""

    max_records = 2000
    max_bytes = 500_000
    """As our lines; as rows, with other names, far from a megabyte."""

    def __init__(self, group: str, *, client: Any = None) -> None:
        """
        Args:
            group: https://ENDPOINT/dataCollectionRules/RULE/streams/STREAM.
            client: instead of one by the machine's own identity.

        Raises:
            SettingsError: azure-monitor-ingestion is not installed, or it is no such address.
        """
        found = ADDRESS.fullmatch(group)
        if found is None:
            raise SettingsError(
                f"log_group={group!r} must be https://ENDPOINT/dataCollectionRules/RULE/streams/STREAM for azure"
            )
        if client is None:
            try:
                import azure.identity
                import azure.monitor.ingestion  # noqa: F401 tells now rather than in an hour that it is not there
            except ImportError as error:
                raise SettingsError(
                    "records for Azure need azure-monitor-ingestion: pip install 'sonarstack[cloud]'"
                ) from error
        self._endpoint, self._rule, self._stream = found.groups()
        self._client = client
        # Its every failed try as a line on the terminal: ours is one note.
        logging.getLogger("azure").setLevel(logging.CRITICAL)
        self.name = f"Azure's stream {self._stream}"

    def send(self, records: Sequence[LogRecord]) -> Sent:
        """See `Sender.send`."""
        if self._client is None:
            from azure.identity import DefaultAzureCredential
            from azure.monitor.ingestion import LogsIngestionClient

            # No retries of its own: each would send the same records again, and ours know when to stop.
            self._client = LogsIngestionClient(
                self._endpoint,
                DefaultAzureCredential(),
                retry_total=0,
                connection_timeout=CONNECT_S,
                read_timeout=READ_S,
            )
        try:
            self._client.upload(self._rule, self._stream, [row(record) for record in records])
        except Exception as error:
            if getattr(error, "status_code", None) in (400, 413):
                raise RefusedError(f"HTTP {getattr(error, 'status_code', None)}") from error
            raise
        return Sent(taken=len(records))

    def advice(self, error: Exception) -> str:
        """See `Sender.advice`."""
        if getattr(error, "status_code", None) in (401, 403):
            return "give this machine's identity the role Monitoring Metrics Publisher on the data collection rule"
        if getattr(error, "status_code", None) == 404:
            return "check endpoint, rule and stream in SONARSTACK_LOG_GROUP"
        if getattr(error, "status_code", None) == 429:
            return "Azure asks to slow down"
        return "check the network, and that this machine has an identity"


def row(record: LogRecord) -> dict[str, Any]:
    """A row of the table; Figures is a dynamic column, Step a long one."""
    return {
        "TimeGenerated": record.time,
        "Id": record.id,
        "Level": record.level,
        "Kind": record.kind,
        "Message": record.message,
        "Run": record.run,
        "Host": record.host,
        "Step": record.step,
        "Figures": record.figures,
    }
