"""A job on a group's machine: known by the notes that the machine keeps in the bucket, and by what the group says."""

import json
import time
from collections.abc import Mapping
from typing import Any

from infra.aws.account import client
from infra.aws.group import SIZE_OF_NONE
from infra.aws.refusal import asked
from infra.buckets.store import ObjectStore, open_store
from infra.errors import JobError
from infra.jobs.job import JobStatus, ended

STOP = "mkdir -p /run/sonarstack && touch /run/sonarstack/stop-asked && systemctl stop --no-block sonarstack.service"
"""The mark first: a stop without it would read as the cloud taking the machine."""
POLL_S = 5.0
ENDS_WITHIN_S = 300.0
"""In which an instance that was told to go is gone."""


class GroupJob:
    """See `infra.jobs.job.Job`."""

    def __init__(
        self, where: Mapping[str, Any], *, store: ObjectStore | None = None, poll_s: float = POLL_S
    ) -> None:
        """`where` is an output: group, region, bucket, notes (prefix), logGroup, logStream."""
        self._where, self._poll_s = where, poll_s
        self._group, self._region = str(where["group"]), str(where["region"])
        self._store = store or open_store(where)
        self._clients: dict[str, Any] = {}

    def status(self) -> JobStatus:
        """See `Job.status`."""
        outcome = self._note("outcome.json")
        if outcome is not None:
            return ended(int(outcome["code"]), str(outcome.get("reason") or ""))
        group = self._describe()
        if group is None:
            return JobStatus(state="lost", reason="its group is gone, and no machine told how the job went")
        living = _living(group)
        if not living and group["DesiredCapacity"] == 0:
            return JobStatus(
                state="lost",
                reason="its group was ended (lease, idle GPU, or by hand) before a machine told how the job went; "
                "the run in the bucket can be taken up",
            )
        if not living:
            return JobStatus(state="waiting", reason=self._why_none())
        started = self._note("started.json")
        if started is not None and started.get("machine") in living:
            return JobStatus(state="running")
        return JobStatus(state="waiting", reason=f"{', '.join(living)} starts")

    def read_log(self, offset: int = 0) -> bytes:
        """See `Job.read_log`; as far as the log group has it by now."""
        logs = self._client("logs")
        lines: list[str] = []
        token: str | None = None
        while True:
            more = {"nextToken": token} if token else {}
            page = asked(
                lambda more=more: logs.get_log_events(  # type: ignore[misc]
                    logGroupName=self._where["logGroup"],
                    logStreamName=self._where["logStream"],
                    startFromHead=True,
                    **more,
                ),
                "the job's log",
                missing={"events": [], "nextForwardToken": token},
            )
            lines += [event["message"] for event in page["events"]]
            # The same token again is the end. Source: CloudWatch Logs API reference, GetLogEvents.
            if not page["events"] or page["nextForwardToken"] == token:
                return "".join(f"{line}\n" for line in lines).encode()[offset:]
            token = page["nextForwardToken"]

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """See `Job.stop`: asks the machine over SSM, then ends the group, whose machines get a SIGTERM as they go."""
        status = self.status()
        if status.over:
            self._end_group()
            return status
        group = self._describe()
        for machine in _living(group) if group is not None else ():
            self._ask(machine)
        until = time.monotonic() + grace_s
        while not (status := self.status()).over and time.monotonic() < until:
            time.sleep(self._poll_s)
        self._end_group()
        until = time.monotonic() + ENDS_WITHIN_S
        while (group := self._describe()) is not None and _living(group):
            if time.monotonic() > until:
                raise JobError(f"the machine of {self._group} does not go; look at it in the console of EC2")
            time.sleep(self._poll_s)
        return self.status()

    def remove(self) -> None:
        """See `Job.remove`: the machine's notes."""
        for key in list(self._store.keys(f"{self._where['notes']}/")):
            self._store.remove(key)

    def _client(self, service: str) -> Any:
        """Made once: making one takes a tenth of a second."""
        if service not in self._clients:
            self._clients[service] = client(service, self._region)
        return self._clients[service]

    def _note(self, name: str) -> dict[str, Any] | None:
        text = self._store.get(f"{self._where['notes']}/{name}")
        if text is None:
            return None
        try:
            note = json.loads(text)
        except ValueError as error:
            raise JobError(
                f"{self._store.address}/{self._where['notes']}/{name} is damaged; remove it"
            ) from error
        return note if isinstance(note, dict) else None

    def _describe(self) -> dict[str, Any] | None:
        scaling = self._client("autoscaling")
        answer = asked(
            lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self._group]),
            "the group of its machine",
        )
        found = answer["AutoScalingGroups"]
        return dict(found[0]) if found else None

    def _why_none(self) -> str:
        """The group's own word of why it has no machine yet."""
        scaling = self._client("autoscaling")
        answer = asked(
            lambda: scaling.describe_scaling_activities(AutoScalingGroupName=self._group, MaxRecords=1),
            "the group of its machine",
            missing={"Activities": []},
        )
        newest: dict[str, Any] = next(iter(answer["Activities"]), {})
        return f"no machine yet: {newest.get('StatusMessage') or 'asked for'}"

    def _ask(self, machine: str) -> None:
        manager = self._client("ssm")
        asked(
            lambda: manager.send_command(
                InstanceIds=[machine], DocumentName="AWS-RunShellScript", Parameters={"commands": [STOP]}
            ),
            "the machine to stop its job",
            # It starts still, or goes already: the end of the group is its SIGTERM.
            missing=None,
        )

    def _end_group(self) -> None:
        if self._describe() is None:
            return
        scaling = self._client("autoscaling")
        asked(
            lambda: scaling.update_auto_scaling_group(AutoScalingGroupName=self._group, **SIZE_OF_NONE),
            "the end of its group",
        )


def _living(group: Mapping[str, Any]) -> list[str]:
    return [str(one["InstanceId"]) for one in group["Instances"] if one["LifecycleState"] != "Terminated"]
