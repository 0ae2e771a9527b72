"""What a wait waits for reaches the engine, and no engine is no trouble."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc

from infra.provider.engine_log import EngineLog


class Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.told: list[tuple[str, str, bool]] = []

    def Log(self, request, context):  # noqa: N802
        self.told.append((request.urn, request.message, request.ephemeral))
        return empty_pb2.Empty()


@pytest.fixture
def engine():
    served, server = Engine(), grpc.server(ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(served, server)
    served.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield served
    server.stop(None)


def test_a_line_stands_beside_its_resource_while_it_lasts(engine) -> None:
    EngineLog(engine.address).say("urn:x", "sent 1 of 2 MiB")
    assert engine.told == [("urn:x", "sent 1 of 2 MiB", True)]


@pytest.mark.parametrize("address", [None, "127.0.0.1:9"])
def test_without_an_engine_nothing_is_in_the_way(address) -> None:
    log = EngineLog(address)
    log.say("urn:x", "hello")
    log.say("urn:x", "hello")
