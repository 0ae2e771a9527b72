"""A job on a group's machine: known by the notes that the machine keeps in the bucket, and by what the group says."""

from collections.abc import Mapping
from typing import Any

from infra.aws.account import client
from infra.aws.group import SIZE_OF_NONE
from infra.aws.refusal import asked
from infra.buckets.store import ObjectStore, open_store
from infra.jobs.job import JobStatus
from infra.vm.notes import Notes
from infra.vm.stopping import POLL_S, STOP, stop


class GroupJob:
    """See `infra.jobs.job.Job`."""

    def __init__(
        self, where: Mapping[str, Any], *, store: ObjectStore | None = None, poll_s: float = POLL_S
    ) -> None:
        """`where` is an output: group, region, bucket, notes (prefix), logGroup, logStream."""
        self._where, self._poll_s = where, poll_s
        self._group, self._region = str(where["group"]), str(where["region"])
        self._notes = Notes(store or open_store(where), str(where["notes"]))
        self._clients: dict[str, Any] = {}

    def status(self) -> JobStatus:
        """See `Job.status`."""
        outcome = self._notes.outcome()
        if outcome is not None:
            return outcome
        group = self._describe()
        if group is None:
            return self._notes.outcome_or_lost("its group is gone, and no machine told how the job went")
        living = _living(group)
        if not living and group["DesiredCapacity"] == 0:
            return self._notes.outcome_or_lost(
                "its group was ended (lease, idle GPU, or by hand) before a machine told how the job went; "
                "the run in the bucket can be taken up"
            )
        if not living:
            return JobStatus(state="waiting", reason=self._why_none())
        if self._notes.started_by() in living:
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
        return stop(self, self._group, grace_s=grace_s, poll_s=self._poll_s, console="the console of EC2")

    def remove(self) -> None:
        """See `Job.remove`: the machine's notes."""
        self._notes.remove()

    def ask(self) -> None:
        """See `Stoppable.ask`: over SSM."""
        group = self._describe()
        for machine in _living(group) if group is not None else ():
            self._ask(machine)

    def end(self) -> None:
        """See `Stoppable.end`: the group rents no more, and its machine gets a SIGTERM as it goes."""
        if self._describe() is None:
            return
        scaling = self._client("autoscaling")
        asked(
            lambda: scaling.update_auto_scaling_group(AutoScalingGroupName=self._group, **SIZE_OF_NONE),
            "the end of its group",
        )

    def lives(self) -> bool:
        """See `Stoppable.lives`."""
        group = self._describe()
        return group is not None and bool(_living(group))

    def _client(self, service: str) -> Any:
        """Made once: making one takes a tenth of a second."""
        if service not in self._clients:
            self._clients[service] = client(service, self._region)
        return self._clients[service]

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


def _living(group: Mapping[str, Any]) -> list[str]:
    return [str(one["InstanceId"]) for one in group["Instances"] if one["LifecycleState"] != "Terminated"]
