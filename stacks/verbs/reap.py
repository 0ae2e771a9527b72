"""python -m stacks reap: ends what is ours and has outlived its lease; needs no stack and no engine."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from infra.reaping import Finding, Reaped
    from infra.receipt import Receipt
    from stacks.clouds import RentedCloud

WORDS = {
    "end": "END", "keep": "living", "warn": "LOOK", "remove": "REMOVE", "settle": "gone", "drop": "never rented",
}  # fmt: skip
DONE = {"end": "ended", "remove": "removed", "settle": "settled", "drop": "forgotten"}

NOTHING = "nothing rented from here; to ask an account name its cloud, such as `python -m stacks reap runpod`"


def reap(
    target: Annotated[
        str | None,
        typer.Argument(help="runpod, aws or azure; without it whatever this machine knows to have rented."),
    ] = None,
    stack: Annotated[str | None, typer.Option("--stack", help="Only what is this stack's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    volumes: Annotated[
        bool,
        typer.Option(
            "--volumes", help="Remove the stack's network volumes too, WITH THE RUNS ON THEM; needs --stack."
        ),
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="Do this again and again, by systemd or cron.")
    ] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take that away again.")] = False,
    every_minutes: Annotated[int, typer.Option(min=1, max=60, help="With --install.")] = 10,
    scheduled: Annotated[bool, typer.Option("--scheduled", hidden=True)] = False,
    as_json: options.Json = False,
    yes: options.Yes = False,
) -> None:
    """End rented machines of this project whose lease has run out, one by one; never anything else."""
    from infra.errors import InfraError, SettingsError

    timer = [word for word, given in (("--install", install), ("--uninstall", uninstall)) if given]
    idle = {"--stack": stack is not None, "--dry-run": dry_run, "--volumes": volumes, "--json": as_json}
    if len(timer) > 1:
        raise SettingsError("--install and --uninstall undo each other; give one")
    if timer and any(idle.values()):
        given = ", ".join(word for word, is_given in idle.items() if is_given)
        raise SettingsError(
            f"{given} can do nothing with {timer[0]}: the timer looks after all that this machine knows to have "
            "rented; leave that out"
        )
    if volumes and target not in (None, "runpod"):
        raise SettingsError(
            f"--volumes can do nothing for {target}: only Runpod's network volumes outlive machines"
        )
    if timer:
        from stacks.verbs.reap_timer import install_timer, uninstall_timer

        install_timer(target, every_minutes, yes=yes) if install else uninstall_timer()
        return
    if volumes and stack is None:
        raise SettingsError("--volumes removes runs, so it must be said whose: add --stack NAME")
    try:
        failed = _reap_all(target, stack, dry_run, volumes, as_json=as_json, scheduled=scheduled)
    except InfraError as error:
        if not scheduled:
            raise
        _dated([f"error: {error}"])
        failed = True
    if failed:
        raise typer.Exit(1)


def _reap_all(
    target: str | None, stack: str | None, dry_run: bool, volumes: bool, *, as_json: bool, scheduled: bool
) -> bool:
    """Whether something could not be ended; an account that cannot be asked keeps no other one alive."""
    from infra.errors import InfraError
    from stacks.clouds import clouds_to_reap
    from stacks.verbs.console import say_json

    borrow_credentials()
    clouds = clouds_to_reap(target)
    if not (clouds or scheduled or as_json):
        _lines([NOTHING])
    failed = False
    told: list[dict[str, Any]] = []
    for cloud in clouds:
        try:
            more, row = _reap(cloud, stack, dry_run, volumes, as_json=as_json, scheduled=scheduled)
        except InfraError as error:
            if len(clouds) == 1:
                raise
            more, row = True, {"account": cloud.address, "error": str(error)}
            if not as_json:
                (_dated if scheduled else _lines)([f"error: {cloud.address}: {error}"])
        failed, told = failed or more, [*told, row]
    if as_json:
        say_json(told[0] if len(told) == 1 else told)
    return failed


def _reap(
    cloud: "RentedCloud", stack: str | None, dry_run: bool, volumes: bool, *, as_json: bool, scheduled: bool
) -> tuple[bool, dict[str, Any]]:
    """Whether something could not be ended, and all of it for programs."""
    from stacks.receipts import stamp_of

    show = _dated if scheduled else _lines
    found = cloud.look(None if stack is None else stamp_of(stack), remove_volumes=volumes and not scheduled)
    mark = "SIMULATED " if cloud.simulated else ""
    if not as_json:
        show(_listing(found, f"{mark}{cloud.address}", scheduled))
    done = []
    for one in () if dry_run else cloud.reap(found):
        done.append(one)
        if not as_json:
            show([_outcome(one, mark)])
    receipts = [] if dry_run else _receipts(cloud, stack, done)
    for receipt, path in () if as_json else receipts:
        show([*receipt.lines(), f"kept as {path}"])
    if not as_json and dry_run and any(one.action in DONE for one in found):
        show(["dry run: nothing was ended; without --dry-run it is"])
    return any(one.error for one in done), {
        "account": cloud.address,
        "simulated": cloud.simulated,
        "dry_run": dry_run,
        "findings": [one.as_dict() for one in found],
        "done": [{**one.finding.as_dict(), "error": one.error} for one in done],
        "receipts": [receipt.as_dict() for receipt, _ in receipts],
    }


def _receipts(
    cloud: "RentedCloud", stack: str | None, done: Sequence["Reaped[Finding]"]
) -> list[tuple["Receipt", Path]]:
    """One for each stack of which something was ended."""
    from stacks.receipts import receipt_now

    marks = dict.fromkeys(
        one.finding.stamp for one in done if one.finding.action in ("end", "remove") and not one.error
    )
    return [receipt_now(cloud, stack or mark, mark) for mark in marks]


def borrow_credentials() -> None:
    """What --install kept, where the environment says nothing itself."""
    from infra.credentials import read_credentials
    from stacks.kept_variables import borrow

    borrow(os.environ, read_credentials())


def _listing(found: Sequence["Finding"], account: str, scheduled: bool) -> list[str]:
    if not found:
        return [] if scheduled else [f"{account}: nothing of this project"]
    if scheduled and all(one.action == "keep" for one in found):
        return []  # a log that says every ten minutes that all is well is read by nobody
    return [f"{account}: {len(found)} of this project", *(_line(one) for one in found)]


def _line(one: "Finding") -> str:
    what = f"{one.kind} {one.name}" + (f" ({one.id})" if one.id else "")
    price = ""
    if one.kind != "volume" and one.bills and one.id:
        price = f", {one.gpu or 'CPU'}, ${one.usd_per_h:.2f} an hour"
    return f"  {WORDS[one.action]:<12}  {what}{price}: {one.reason}"


def _outcome(one: "Reaped[Finding]", mark: str) -> str:
    what = f"{one.finding.kind} {one.finding.name}" + (f" ({one.finding.id})" if one.finding.id else "")
    if one.error:
        return (
            f"{mark}NOT {DONE[one.finding.action]}: {what}: {one.error}"
            if one.finding.action in DONE
            else (f"{mark}error: {what}: {one.error}")
        )
    return f"{mark}{DONE[one.finding.action]}: {what}"


def _lines(lines: Sequence[str]) -> None:
    from stacks.verbs.console import say

    for line in lines:
        say(line)


def _dated(lines: Sequence[str]) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    sys.stdout.writelines(f"{now}  {line}\n" for line in lines)
    sys.stdout.flush()
