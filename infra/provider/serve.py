"""Listens on loopback until the engine goes away."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from infra.provider.engine_log import EngineLog
from infra.provider.servicer import Servicer
from infra.provider.tables import TABLES

MESSAGE_BYTES = 400 * 2**20
"""As the engine's own limit (sdk/go/common/util/rpcutil, 2026-08)."""
WAITING_CALLS = 32
"""Waits take a thread each; a stack has a handful of resources."""


def serve(ready: TextIO, engine: str | None = None) -> None:
    """Serve the plugin's tables; the port goes to `ready`, what a wait waits for to the engine's address."""
    pool = ThreadPoolExecutor(max_workers=WAITING_CALLS)
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
    ]
    server = grpc.server(pool, options=options)
    servicer = Servicer(TABLES, EngineLog(engine))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ready.write(f"{port}\n")
    ready.flush()
    threading.Thread(target=_leave_with_parent, args=(servicer,), daemon=True).start()
    server.wait_for_termination()


def _leave_with_parent(servicer: Servicer) -> None:
    """An engine that was killed can no longer end its plugin: orphans must not wait for ever."""
    parent = os.getppid()
    waiting = threading.Event()
    while os.getppid() == parent:
        waiting.wait(1.0)
    servicer.cancelled.set()
    os._exit(0)
