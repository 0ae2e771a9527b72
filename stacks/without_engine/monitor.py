"""Takes the place of the engine's resource monitor for a program that runs in this process."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime import configure
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, MockSettings
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.stack import run_in_stack

from infra.errors import EngineError, InfraError
from infra.provider.values import decode, encode, is_unknown
from stacks.without_engine.state import Kept, State
from stacks.without_engine.steps import Steps, Wanted, refuse_others

ROOT = "pulumi:pulumi:Stack"


class _NoMocks(Mocks):
    """What our stacks never ask for."""

    def call(self, args: MockCallArgs) -> Any:
        raise EngineError(f"{args.token} is a call that only Pulumi's engine can answer; get it: make engine")

    def new_resource(self, args: MockResourceArgs) -> Any:
        raise EngineError(
            f"{args.name} is to be read, which only Pulumi's engine can do; get it: make engine"
        )


class Monitor(MockMonitor):
    """Components are answered here, our plugin's resources by the plugin, one at a time; others are refused."""

    def __init__(self, steps: Steps, state: State, project: str, stack: str) -> None:
        super().__init__(_NoMocks())
        self._steps, self._state = steps, state
        self._prefix = f"urn:pulumi:{stack}::{project}::"
        self._lock = threading.Lock()
        self.refusal: InfraError | None = None
        """The first; nothing is made after it."""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes them: the stack itself is not part of the type."""
        above = parent.split("::")[2] if parent else ROOT
        return f"{self._prefix}{type_ if above == ROOT else f'{above}${type_}'}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if not request.custom and not request.remote:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        with self._lock:
            kept = None if self.refusal else self._registered(urn, request)
        if kept is None:
            # The program goes on with what is known; what hangs on this comes here and is not made either.
            return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.FAIL)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=kept.id, object=encode(kept.outputs, kept.secrets)
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.split("::")[-2] == ROOT:
            told = decode(request.outputs).values
            self._state.outputs = {key: value for key, value in told.items() if not is_unknown(value)}
            self._state.save()
        return empty_pb2.Empty()

    def _registered(self, urn: str, request: Any) -> Kept | None:
        wanted = Wanted(
            urn=urn,
            inputs=decode(request.object),
            needs=list(request.dependencies),
            property_needs={key: list(needs.urns) for key, needs in request.propertyDependencies.items()},
        )
        try:
            refuse_others(request.type, request.name)
            return self._steps.register(wanted)
        except InfraError as error:
            self.refusal = error
            return None


class _Console:
    """The engine's log, a line each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def Log(self, request: Any) -> None:  # noqa: N802
        names = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}
        if request.severity in names:
            self._say(f"{names[request.severity]}: {request.message}")


def run_program(
    program: Callable[[], None], monitor: Monitor, *, project: str, stack: str, say: Callable[[str], None]
) -> None:
    """Run a target's program to its end.

    Raises:
        InfraError: the program's own refusal, or the first of the plugin's.
    """
    # Pulumi keeps its settings in context variables: each run has a context of its own.
    contextvars.Context().run(_run, program, monitor, project, stack, say)
    if monitor.refusal is not None:
        raise monitor.refusal


def _run(
    program: Callable[[], None], monitor: Monitor, project: str, stack: str, say: Callable[[str], None]
) -> None:
    configure(
        MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=set(),
            engine=_Console(say),
            project=project,
            stack=stack,
            dry_run=False,
            organization=None,
            callbacks=None,
        )
    )
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(program))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
