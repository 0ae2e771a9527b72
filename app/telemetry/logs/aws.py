"""CloudWatch Logs, by boto3.

Not by watchtower: it keeps what waits in memory alone, and drops a batch after five tries (watchtower 3.4,
`_submit_batch`), so that an hour without network would be lost.
Source: CloudWatch Logs API, PutLogEvents: 1 MiB and 10 000 events a call, counting 26 bytes more for each; in the order
of their times, within 24 hours; not older than 14 days or the group's retention. It knows no token that would make a
repeated call harmless: an answer that is lost on the way makes doubles, with the same id.
"""

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from app.errors import SettingsError
from app.telemetry.logs.record import LogRecord
from app.telemetry.logs.sender import RefusedError, Sent

CONNECT_S, READ_S = 5.0, 20.0
SPAN_MS = 23 * 3600 * 1000
ARN = re.compile(r"arn:[\w-]+:logs:([\w-]+):\d*:log-group:([^:]+)(?::\*)?")


class CloudWatchSender:
    """One stream of a log group that exists: RUN/HOST."""

    max_records = 5000
    max_bytes = 800_000

    def __init__(self, group: str, stream: str, *, client: Any = None) -> None:
        """
        Args:
            group: name or ARN; an ARN tells the region too.
            client: instead of one by the machine's own role.

        Raises:
            SettingsError: boto3 is not installed.
        """
        try:
            import boto3  # noqa: F401 tells now rather than in an hour that it is not there
        except ImportError as error:
            raise SettingsError(
                "records for CloudWatch need boto3: pip install 'sonarstack[cloud]'"
            ) from error
        arn = ARN.fullmatch(group)
        self._region = str(arn[1]) if arn else None
        self._group = str(arn[2]) if arn else group
        self._stream = re.sub(r"[:*]", "-", stream)[:512]
        self._client = client
        self.name = f"CloudWatch's log group {self._group}"

    def send(self, records: Sequence[LogRecord]) -> Sent:
        """See `Sender.send`."""
        from botocore.exceptions import ClientError

        client = self._connected()
        events: list[dict[str, Any]] = []
        for record in records:
            # A machine's clock may go back between two processes; AWS wants the order.
            time_ms = max(record.time_ms, events[-1]["timestamp"] if events else 0)
            if events and time_ms - events[0]["timestamp"] > SPAN_MS:
                break
            events.append({"timestamp": time_ms, "message": record.as_line().decode().rstrip("\n")})
        try:
            answer = self._put(client, events)
        except ClientError as error:
            if _code(error) == "InvalidParameterException":
                raise RefusedError(_code(error)) from error
            raise
        return Sent(
            taken=len(events), refused=_rejected(answer.get("rejectedLogEventsInfo", {}), len(events))
        )

    def _put(self, client: Any, events: list[dict[str, Any]]) -> dict[str, Any]:
        where = {"logGroupName": self._group, "logStreamName": self._stream}
        try:
            return dict(client.put_log_events(**where, logEvents=events))
        except client.exceptions.ResourceNotFoundException:
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_stream(**where)
            return dict(client.put_log_events(**where, logEvents=events))

    def _connected(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            # No retries of its own: each would send the same records again, and ours know when to stop.
            config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
            session = boto3.session.Session(region_name=self._region)
            self._client = session.client("logs", config=config)
        return self._client

    def advice(self, error: Exception) -> str:
        """See `Sender.advice`."""
        code = _code(error)
        if code == "ResourceNotFoundException":
            return f"there is no log group {self._group}; create it, or set SONARSTACK_LOG_GROUP to one that is there"
        if code.startswith(("AccessDenied", "UnrecognizedClient", "InvalidClientToken", "ExpiredToken")):
            return "let this machine's role call logs:CreateLogStream and logs:PutLogEvents on the group"
        if code == "NoRegionError":
            return "set AWS_REGION, or SONARSTACK_LOG_GROUP to the group's ARN"
        if code == "NoCredentialsError":
            return "give this machine a role; containers need a hop limit of 2 to reach it"
        if "Throttl" in code:
            return "AWS asks to slow down"
        return "check the network, and in a closed one the endpoint for logs"


def _code(error: Exception) -> str:
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return str(code or type(error).__name__)


def _rejected(info: dict[str, Any], count: int) -> int:
    """Source: PutLogEvents, RejectedLogEventsInfo: exclusive ends of the old ones, first of the new ones."""
    before = max(int(info.get("tooOldLogEventEndIndex", 0)), int(info.get("expiredLogEventEndIndex", 0)))
    return before + count - int(info.get("tooNewLogEventStartIndex", count))
