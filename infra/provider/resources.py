"""The plugin's resources as a Pulumi program declares them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi


class Upload(pulumi.CustomResource):
    """A folder of this machine on a host, verified; sent again when its content changes."""

    sha256: pulumi.Output[str]
    """Of all paths and contents."""
    files: pulumi.Output[int]
    bytes: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        host: pulumi.Input[Mapping[str, Any]],
        source: pulumi.Input[str],
        target: pulumi.Input[str],
        exclude: Sequence[str] = (),
        only: Sequence[str] | None = None,
        machine: pulumi.Input[str] | None = None,
        goes_with_host: bool = False,
        seal: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`host` is {"address": "ssh://user@host:port", "hostKey": "ssh-ed25519 ..." or None}, or a rented machine's.

        `only` names what of the folder is sent, by the names in it. Another `machine` under the same host gets the
        folder again; `goes_with_host` leaves its removal to the host's; `seal` names the stack whose key the files are
        encrypted for before they leave.
        """
        props = {
            "host": host,
            "source": source,
            "target": target,
            "exclude": list(exclude),
            "only": None if only is None else list(only),
            "machine": machine,
            "goesWithHost": goes_with_host or None,
            "seal": seal,
        }
        computed = dict.fromkeys(("files", "bytes", "sha256"))
        super().__init__("sonarstack:index:Upload", name, {**props, **computed}, opts)


class LocalProcess(pulumi.CustomResource):
    """A job as a process of its own session on this machine."""

    where: pulumi.Output[dict[str, Any]]
    """What `infra.jobs.job.open_job` takes."""

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        argv: pulumi.Input[Sequence[str]],
        variables: pulumi.Input[Mapping[str, str]],
        cwd: pulumi.Input[str],
        stamp: pulumi.Input[str],
        trigger: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`folder` keeps the job's log and code; another `trigger` asks for another job."""
        props = {
            "folder": folder,
            "argv": argv,
            "variables": variables,
            "cwd": cwd,
            "stamp": stamp,
            "trigger": trigger,
        }
        super().__init__("sonarstack:index:LocalProcess", name, {**props, "where": None}, opts)


class TrainingRun(pulumi.CustomResource):
    """A job and its run: how it is, how it ended; its end brings the run home and verifies it."""

    where: pulumi.Output[dict[str, Any]]
    home: pulumi.Output[str]
    state: pulumi.Output[str]
    """waiting, running, ended, failed or lost."""
    outcome: pulumi.Output[str]
    """done, deadline, budget, idle, interrupted or failed; empty while it runs."""
    step: pulumi.Output[int]
    log: pulumi.Output[str]
    """The last lines of its output."""

    def __init__(
        self,
        name: str,
        *,
        run_path: pulumi.Input[str],
        home: pulumi.Input[str],
        where: pulumi.Input[Mapping[str, Any]] | None = None,
        start: pulumi.Input[Mapping[str, Any]] | None = None,
        run_host: pulumi.Input[Mapping[str, Any]] | None = None,
        wait: bool = False,
        stop_grace_s: float | None = None,
        trigger: pulumi.Input[str] = "",
        machine: pulumi.Input[str] | None = None,
        terms: pulumi.Input[Mapping[str, Any]] | None = None,
        secrets: pulumi.Input[Mapping[str, str]] | None = None,
        seal: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Either `where` tells of a job that something else starts, or `start` says what to start on `run_host`.

        Args:
            machine: another one takes the job up again, where its machine lost it.
            terms: of a rented machine: leaseUntil, priceUsdPerH, account, stamp, run.
            secrets: variables that go over SSH into the job's memory, and nowhere else.
            seal: stack whose key the run is encrypted for where it lies; it comes home open.
        """
        props = {
            "runPath": run_path,
            "home": home,
            "where": where,
            "start": start,
            "runHost": run_host,
            "wait": wait,
            "stopGraceS": stop_grace_s,
            "trigger": trigger,
            "machine": machine,
            "terms": terms,
            "secrets": None if secrets is None else pulumi.Output.secret(secrets),
            "seal": seal,
        }
        computed = dict.fromkeys(("state", "outcome", "exitCode", "reason", "step", "log"))
        super().__init__("sonarstack:index:TrainingRun", name, {**props, **computed}, opts)
        self.run_path = pulumi.Output.from_input(run_path)
        self.run_host = pulumi.Output.from_input(run_host)


class RunRescue(pulumi.CustomResource):
    """Whatever run lies in a bucket comes home before that goes, even of a job that the engine never heard of."""

    def __init__(
        self,
        name: str,
        *,
        run_host: pulumi.Input[Mapping[str, Any]],
        run_path: str,
        home: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """To be there before the machine that writes the run, and to go after it."""
        props = {"runHost": run_host, "runPath": run_path, "home": home}
        super().__init__("sonarstack:index:RunRescue", name, props, opts)


class BuiltImage(pulumi.CustomResource):
    """An image that was built here; goes, with its older builds, when the stack does."""

    reference: pulumi.Output[str]
    """The image, once it is known to this resource."""

    def __init__(
        self,
        name: str,
        *,
        reference: pulumi.Input[str],
        keep: bool,
        docker_host: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`keep` leaves the images behind."""
        props = {"reference": reference, "keep": keep, "dockerHost": docker_host, "builds": None}
        super().__init__("sonarstack:index:BuiltImage", name, props, opts)


class Lease(pulumi.CustomResource):
    """Until when a group's machines may live: fixed once, before any of them is asked for."""

    lease_until: pulumi.Output[str]
    """2026-11-28T12:00:00Z."""

    def __init__(
        self,
        name: str,
        *,
        cloud: str,
        account: pulumi.Input[str],
        lease_name: str,
        stamp: str,
        run: str,
        max_hours: float,
        price_usd_per_h: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Another `lease_name` is another lease; more hours or another price are the next one's."""
        props = {
            "cloud": cloud,
            "account": account,
            "name": lease_name,
            "stamp": stamp,
            "run": run,
            "maxHours": max_hours,
            "priceUsdPerH": price_usd_per_h,
        }
        super().__init__("sonarstack:index:Lease", name, {**props, "leaseUntil": None}, opts)
        # The wire's leaseUntil, in Python's manner.
        self.lease_until = self.__dict__["leaseUntil"]
