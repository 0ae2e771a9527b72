"""The plugin as the engine has it: a process of its own, spoken to over the provider protocol."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from infra.errors import EngineError, InfraError
from infra.provider.serve import MESSAGE_BYTES
from infra.provider.values import Properties, decode, encode
from stacks.without_engine.state import Kept

PLUGIN = Path(__file__).resolve().parents[2] / "infra" / "provider"
NO_ENGINE = "127.0.0.1:9"
"""Where the plugin would find the engine; it asks nothing of it."""
LEAVES_WITHIN_S = 5.0


class PluginRefusedError(InfraError):
    """The plugin answered a call with an error; `kept` tells of a resource that is there all the same."""

    def __init__(self, text: str, kept: tuple[str, Properties] | None = None) -> None:
        super().__init__(text)
        self.kept = kept


class Plugin:
    """Calls in the engine's order of arguments, secrets marked both ways."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def check(self, urn: str, inputs: Properties, old: Kept | None) -> None:
        """Refuse wrong inputs, every one named."""
        olds = None if old is None else encode(old.inputs, old.secrets)
        request = provider_pb2.CheckRequest(urn=urn, olds=olds, news=_told(inputs))
        failures = self._ask("Check", request).failures
        if failures:
            wrong = "; ".join(f"{one.property} {one.reason}" for one in failures)
            raise PluginRefusedError(f"{_name(request)}{wrong}")

    def diff(self, old: Kept, inputs: Properties) -> Any:
        """A `DiffResponse`."""
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=old.urn,
            olds=encode(old.outputs, old.secrets),
            old_inputs=encode(old.inputs, old.secrets),
            news=_told(inputs),
        )
        return self._ask("Diff", request)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Id and outputs."""
        made = self._ask("Create", provider_pb2.CreateRequest(urn=urn, properties=_told(inputs)))
        return str(made.id), decode(made.properties)

    def update(self, old: Kept, inputs: Properties) -> Properties:
        """The new outputs."""
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=old.urn,
            olds=encode(old.outputs, old.secrets),
            old_inputs=encode(old.inputs, old.secrets),
            news=_told(inputs),
        )
        return decode(self._ask("Update", request).properties)

    def read(self, old: Kept) -> Properties | None:
        """The outputs now; None if it is gone."""
        request = provider_pb2.ReadRequest(
            id=old.id,
            urn=old.urn,
            properties=encode(old.outputs, old.secrets),
            inputs=encode(old.inputs, old.secrets),
        )
        answer = self._ask("Read", request)
        return decode(answer.properties) if answer.id else None

    def delete(self, old: Kept) -> None:
        """End it."""
        request = provider_pb2.DeleteRequest(
            id=old.id,
            urn=old.urn,
            properties=encode(old.outputs, old.secrets),
            old_inputs=encode(old.inputs, old.secrets),
        )
        self._ask("Delete", request)

    def cancel(self) -> None:
        """Every wait in the plugin ends soon."""
        self._ask("Cancel", empty_pb2.Empty())

    def _ask(self, verb: str, request: Any) -> Any:
        try:
            return getattr(self._stub, verb)(request)
        except grpc.RpcError as error:
            text = error.details() or str(error.code())
            raise PluginRefusedError(f"{_name(request)}{text}", _kept(error)) from error


@contextmanager
def open_plugin() -> Iterator[Plugin]:
    """Start it, and end it in any case; Ctrl-C meanwhile asks it to cancel, as the engine does.

    Raises:
        EngineError: it does not start.
    """
    # In a session of its own: Ctrl-C in the terminal is told by us, and must not kill it in the middle of a step.
    process = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, str(PLUGIN), NO_ENGINE], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port.isdigit():
            raise EngineError(f"the plugin in {PLUGIN} did not start (code {process.wait(LEAVES_WITHIN_S)})")
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=NO_ENGINE))
            stub.Configure(provider_pb2.ConfigureRequest(acceptSecrets=True, sends_old_inputs=True))
            plugin = Plugin(stub)
            with _cancelled_by_ctrl_c(plugin):
                yield plugin
    finally:
        process.terminate()
        try:
            process.wait(LEAVES_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def _cancelled_by_ctrl_c(plugin: Plugin) -> Iterator[None]:
    """The step that is on comes back by itself then, and what it made is written down before we leave."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not within the handler: it may have interrupted a call on the same channel.
    before = signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=plugin.cancel).start())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _name(request: Any) -> str:
    urn = getattr(request, "urn", "")
    return f"{urn.rsplit('::', 1)[-1]}: " if urn else ""


def _told(inputs: Properties) -> Any:
    return encode(inputs.values, inputs.secrets)


def _kept(error: Any) -> tuple[str, Properties] | None:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    failed = provider_pb2.ErrorResourceInitFailed()
    for one in status_pb2.Status.FromString(details).details if details else ():
        if one.Unpack(failed):
            return str(failed.id), decode(failed.properties)
    return None
