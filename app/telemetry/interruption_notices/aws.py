"""What EC2 tells a spot machine: two minutes before it takes it, and earlier that this has become likely.

Source: EC2 User Guide, "Spot Instance interruption notices" and "EC2 instance rebalance recommendations": both
paths answer 404 until there is something to tell, and AWS advises to ask every five seconds. Tokens: "Use IMDSv2".
"""

import json
import urllib.error
from typing import Any

from app.telemetry.interruption_notices.metadata import MetadataAddress
from app.telemetry.interruption_notices.notice import Notice

TOKEN_PATH = "/latest/api/token"  # noqa: S105 a path
ACTION_PATH = "/latest/meta-data/spot/instance-action"
REBALANCE_PATH = "/latest/meta-data/events/recommendations/rebalance"
TOKEN_S = 21600


class SpotNotices:
    """Asks EC2's metadata address, by IMDSv2 alone."""

    every_s = 5.0
    """As AWS advises; two minutes are left from the notice on."""
    silent_s = 60.0

    def __init__(self, address: str | None = None) -> None:
        """`address` instead of EC2's own, such as `http://[fd00:ec2::254]`."""
        self._metadata = MetadataAddress(address)
        self.address = self._metadata.address
        self._token: str | None = None

    def look(self) -> tuple[Notice, ...]:
        """See `NoticeSource.look`."""
        action = self._get(ACTION_PATH)
        if action is not None:  # told at once: an answer about less, which may fail, is not waited for
            what, when = action.get("action", "end"), action.get("time", "a time not told")
            return (Notice(ends=True, text=f"AWS takes this spot machine at {when} ({what})"),)
        rebalance = self._get(REBALANCE_PATH)
        if rebalance is None:
            return ()
        when = rebalance.get("noticeTime", "a time not told")
        return (Notice(ends=False, text=f"AWS says since {when} that it may soon take this spot machine"),)

    def _get(self, path: str) -> dict[str, Any] | None:
        """The document there; None where there is none yet."""
        for fresh in (False, True):
            try:
                token = self._token_text(fresh=fresh)
                text = self._metadata.ask(path, {"X-aws-ec2-metadata-token": token})
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code == 401 and not fresh:
                    continue  # the token is over, or another machine's
                raise
            return _document(text)
        raise AssertionError("the second round returns or raises")

    def _token_text(self, *, fresh: bool) -> str:
        if self._token is None or fresh:
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
            self._token = self._metadata.ask(TOKEN_PATH, headers, method="PUT")
        return self._token


def _document(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    # A notice in another form is a notice.
    return value if isinstance(value, dict) else {}
