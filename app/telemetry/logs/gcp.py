"""Google Cloud Logging, by google-cloud-logging.

Source: Cloud Logging API, entries.write and LogEntry: entries with the same time and insertId are one, so that a
repeated call makes no doubles, and those of one time are shown in the order of their insertId; 256 KiB an entry, 10 MB
a call. google-cloud-logging 3.17: `Logger.batch()`, `Batch.log_struct(info, insert_id=, severity=, timestamp=)`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.errors import SettingsError
from app.telemetry.logs.record import LogRecord
from app.telemetry.logs.sender import RefusedError, Sent

FULL_NAME = re.compile(r"projects/([^/]+)/logs/([^/]+)")


class CloudLoggingSender:
    """One log of a project."""

    max_records = 1000
    max_bytes = 4_000_000

    def __init__(self, group: str, *, client: Any = None) -> None:
        """
        Args:
            group: name of the log, or projects/PROJECT/logs/NAME.
            client: instead of one by the machine's own account.

        Raises:
            SettingsError: google-cloud-logging is not installed.
        """
        if client is None:
            try:
                import google.cloud.logging  # noqa: F401 tells now rather than in an hour that it is not there
            except ImportError as error:
                raise SettingsError(
                    "records for Google need google-cloud-logging: pip install 'sonarstack[cloud]'"
                ) from error
        full = FULL_NAME.fullmatch(group)
        self._project = str(full[1]) if full else None
        self._log = str(full[2]) if full else group
        self._client = client
        self.name = f"Google's log {self._log}"

    def send(self, records: Sequence[LogRecord]) -> Sent:
        """See `Sender.send`."""
        if self._client is None:
            import google.cloud.logging

            self._client = google.cloud.logging.Client(project=self._project)
        batch = self._client.logger(self._log).batch()
        for record in records:
            batch.log_struct(
                record.as_dict(),
                insert_id=record.id,
                severity=record.level,
                timestamp=datetime.fromtimestamp(record.time_ms / 1000, UTC),
                labels={"run": record.run, "host": record.host},
            )
        try:
            batch.commit()
        except Exception as error:
            if type(error).__name__ == "InvalidArgument":  # google.api_core.exceptions, HTTP 400
                raise RefusedError(type(error).__name__) from error
            raise
        return Sent(taken=len(records))

    def advice(self, error: Exception) -> str:
        """See `Sender.advice`."""
        if type(error).__name__ in ("Forbidden", "PermissionDenied"):
            return "give this machine's account roles/logging.logWriter"
        if type(error).__name__ == "DefaultCredentialsError":
            return "give this machine a service account, and SONARSTACK_LOG_GROUP=projects/PROJECT/logs/NAME"
        return "check the network"
