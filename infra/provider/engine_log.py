"""What a wait is waiting for, shown beside its resource while it lasts."""

from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

TIMEOUT_S = 2.0


class EngineLog:
    """Tells the engine; whoever drives the plugin without one is told nothing."""

    def __init__(self, address: str | None) -> None:
        """`address` is what the engine gives the plugin as its argument."""
        channel = grpc.insecure_channel(address) if address else None
        self._stub: Any = engine_pb2_grpc.EngineStub(channel) if channel is not None else None

    def say(self, urn: str, text: str) -> None:
        """One line beside a resource, replaced by the next; never in the way of the work itself."""
        if self._stub is None:
            return
        try:
            self._stub.Log(
                engine_pb2.LogRequest(severity=engine_pb2.INFO, message=text, urn=urn, ephemeral=True),
                timeout=TIMEOUT_S,
            )
        except grpc.RpcError:
            self._stub = None  # there is no engine, or no more
