"""The provider protocol (pulumi/proto/provider.proto, 3.272) over our tables."""

import os
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from infra.errors import InfraError
from infra.provider.engine_log import EngineLog
from infra.provider.table import Call, Importable, InitFailedError, Table, Values
from infra.provider.values import UNKNOWN, Properties, decode, encode, is_unknown

VERSION = "0.1.0"
Answer = TypeVar("Answer")


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Finds the table by the resource's type, turns values and errors; knows nothing of any resource."""

    def __init__(self, tables: Iterable[Table], log: EngineLog | None = None) -> None:
        self._log = log or EngineLog(None)
        self._tables = {table.token: table for table in tables}
        self.cancelled = threading.Event()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema=f'{{"name": "sonarstack", "version": "{VERSION}"}}')

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        table, news = self._table(request, context), decode(request.news)
        problems = self._guarded(context, lambda: table.check(news.values))
        failures = [provider_pb2.CheckFailure(property=k, reason=v) for k, v in problems.items()]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        table = self._table(request, context)
        olds, news = decode(request.old_inputs), decode(request.news)
        changed = {
            key
            for key in olds.values.keys() | news.values.keys()
            if olds.values.get(key) != news.values.get(key)
        }
        replaces = sorted(changed & table.replaces)
        moved: list[str] = []
        if not changed:
            outputs = decode(request.olds).values
            moved = self._guarded(
                context, lambda: table.moved(self._call(), request.id, news.values, outputs)
            )
        kinds = provider_pb2.PropertyDiff
        detailed = {
            key: kinds(kind=kinds.UPDATE_REPLACE if key in replaces else kinds.UPDATE, inputDiff=True)
            for key in changed
        } | {key: kinds(kind=kinds.UPDATE) for key in moved}
        some = provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            replaces=replaces,
            diffs=sorted(detailed),
            detailedDiff=detailed,
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replaces),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        table, inputs = self._table(request, context), decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_expected(table, inputs))
        made = self._guarded(context, lambda: table.create(self._call(request), inputs.values), inputs)
        return provider_pb2.CreateResponse(id=made.id, properties=_stored(inputs, made.outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        table = self._table(request, context)
        inputs, olds = decode(request.inputs), decode(request.properties)
        if isinstance(table, Importable) and not inputs.values:
            return self._imported(table, request, context)
        outputs = self._guarded(
            context,
            lambda: table.read(self._call(request), request.id, inputs.values, olds.values),
            inputs,
        )
        if outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=_stored(inputs, outputs), inputs=request.inputs
        )

    def _imported(self, table: Importable, request: Any, context: Any) -> Any:
        found = self._guarded(context, lambda: table.imported(self._call(request), request.id))
        if found is None:
            return provider_pb2.ReadResponse()
        id_, inputs, outputs = found
        return provider_pb2.ReadResponse(
            id=id_, properties=encode({**inputs, **outputs}), inputs=encode(inputs)
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        table = self._table(request, context)
        inputs, olds = decode(request.news), decode(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_expected(table, inputs))
        outputs = self._guarded(
            context,
            lambda: table.update(self._call(request), request.id, inputs.values, olds.values),
            inputs,
        )
        return provider_pb2.UpdateResponse(properties=_stored(inputs, outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        table = self._table(request, context)
        inputs, olds = decode(request.old_inputs), decode(request.properties)
        self._guarded(
            context, lambda: table.delete(self._call(request), request.id, inputs.values, olds.values), inputs
        )
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.cancelled.set()
        return empty_pb2.Empty()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _call(self, request: Any = None) -> Call:
        timeout_s = getattr(request, "timeout", 0.0) or None
        urn = getattr(request, "urn", "")
        return Call(
            cancelled=self.cancelled,
            timeout_s=timeout_s,
            variables=os.environ,
            say=lambda text: self._log.say(urn, text),
        )

    def _table(self, request: Any, context: Any) -> Table:
        token = request.urn.split("::")[-2].split("$")[-1]
        table = self._tables.get(token)
        if table is None:
            context.abort(
                grpc.StatusCode.UNKNOWN,
                f"sonarstack has no resource {token}; it has {', '.join(self._tables)}",
            )
            raise AssertionError  # abort has raised
        return table

    def _guarded(self, context: Any, work: Callable[[], Answer], inputs: Properties | None = None) -> Answer:
        """Run a table's verb; every error becomes one line, and one that followed the making keeps the resource."""
        try:
            return work()
        except InitFailedError as error:
            _abort_keeping(context, error, inputs or Properties(values={}))
        except InfraError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:  # noqa: BLE001 the engine would show a traceback, values and all
            context.abort(grpc.StatusCode.UNKNOWN, _unexpected(error))
        raise AssertionError  # abort has raised


def _expected(table: Table, inputs: Properties) -> Any:
    """What a preview can say: the inputs, and that the rest is known after up."""
    return encode({**inputs.values, **dict.fromkeys(table.computed, UNKNOWN)}, inputs.secrets)


def _stored(inputs: Properties, outputs: Values) -> Any:
    known = {key: value for key, value in inputs.values.items() if not is_unknown(value)}
    return encode({**known, **outputs}, inputs.secrets)


def _abort_keeping(context: Any, error: InitFailedError, inputs: Properties) -> None:
    failed = provider_pb2.ErrorResourceInitFailed(
        id=error.made.id,
        properties=_stored(inputs, error.made.outputs),
        inputs=encode(inputs.values, inputs.secrets),
        reasons=[str(error)],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(failed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _unexpected(error: Exception) -> str:
    """One line that names the fault; the traceback, which holds no values, goes into a file of this user alone."""
    handle, name = tempfile.mkstemp(prefix="sonarstack-plugin-", suffix=".log")
    os.close(handle)
    Path(name).write_text("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + "\n")
    return f"the plugin met an error it does not know ({type(error).__name__}); where it happened stands in {name}"
