"""Runs a target's real program without engine, account or network, and writes down what it would declare."""

import asyncio
import contextvars
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

from stacks.mock_aws import aws_answers
from stacks.mock_azure import azure_answers, azure_id, azure_says

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105 Pulumi's own mark of special values, no secret
SHOWN_SECRET = "[secret]"  # noqa: S105
ROOT = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """One resource as the program asked for it."""

    urn: str
    parent: str
    """Its parent's urn."""
    token: str
    name: str
    custom: bool
    """False for components, which only group."""
    inputs: Mapping[str, Any]
    """camelCase, as on the wire; secrets as [secret]."""
    retained: bool = False
    """Whether destroy leaves it."""
    import_id: str = ""
    """What is taken up instead of made."""
    ignored: tuple[str, ...] = ()
    """Inputs that later changes do not touch."""
    after: tuple[str, ...] = ()
    """urns of what must be there first."""
    goes_with: str = ""
    """urn of what it is a part of, whose end is its own."""
    replaced_on: tuple[str, ...] = ()
    """Inputs whose change makes another one."""


class _Answers(Mocks):
    """What a cloud would answer, as far as other resources take it up: names stay, the rest is made of the name."""

    def call(self, args: MockCallArgs) -> Any:
        return {**args.args, **azure_says(args.token)}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        made: dict[str, dict[str, Any]] = {
            "sonarstack:index:Lease": {"leaseUntil": "2030-01-01T00:00:00Z"},
            "docker:index/image:Image": {"repoDigest": f"sha256:{args.name}"},
            "sonarstack:index:LocalProcess": {
                "where": {"kind": "process", "folder": args.inputs.get("folder")}
            },
        }
        if args.typ.startswith("aws:"):
            made[args.typ] = aws_answers(args.typ, args.name, args.inputs)
        name = f"{args.name}-id"
        if args.typ.startswith("azure-native:"):
            name = azure_id(args.typ, args.name, args.inputs)
            made[args.typ] = azure_answers(args.typ, args.name, args.inputs)
        # An output that a mock does not give vanishes silently from whatever takes it as an input.
        return name, {"name": args.name, **args.inputs, **made.get(args.typ, {})}


class _Recorder(MockMonitor):
    """MockMonitor forgets whose child a resource is; this one writes it down."""

    def __init__(self) -> None:
        super().__init__(_Answers())
        self.declared: list[Declared] = []

    def Invoke(self, request: Any) -> Any:  # noqa: N802 the protocol's name
        with _own_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 the protocol's name
        with _own_loop():
            response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != ROOT:
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object, keep_unknowns=True)
            self.declared.append(
                Declared(
                    urn=response.urn,
                    parent=request.parent,
                    token=request.type,
                    name=request.name,
                    custom=request.custom,
                    inputs={k: _plain(v) for k, v in inputs.items()},
                    retained=request.retainOnDelete,
                    import_id=request.importId,
                    ignored=tuple(request.ignoreChanges),
                    after=tuple(request.dependencies),
                    goes_with=request.deletedWith,
                    replaced_on=tuple(request.replaceOnChanges),
                )
            )
        return response


@contextmanager
def _own_loop() -> Iterator[None]:
    """MockMonitor would make an event loop for each worker thread and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def declare(program: Callable[[], None], *, project: str, stack: str) -> list[Declared]:
    """Run the program; everything it declares, parents before children.

    Raises:
        InfraError: what the program itself refuses.
    """
    # Pulumi keeps its settings and the stack itself in context variables: each look has a context of its own.
    return contextvars.Context().run(_declare, program, project, stack)


def _declare(program: Callable[[], None], project: str, stack: str) -> list[Declared]:
    # set_mocks makes the stack itself, as tasks of the loop that is current then.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        recorder = _Recorder()
        set_mocks(_Answers(), project=project, stack=stack, preview=True, monitor=recorder)
        loop.run_until_complete(run_pulumi_func(program))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return recorder.declared


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if SECRET_SIGNATURE in value:
            return SHOWN_SECRET
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return "[known only after up]"
