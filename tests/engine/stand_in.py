# ruff: noqa: N802 the names are the protocol's
"""A provider of whatever name it is given a place for, that makes nothing: what it is given is what it gives back."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

LEASE_UNTIL = "2030-01-01T00:00:00Z"
NO_CHANGE = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Of any type."""

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="7.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return NO_CHANGE

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        answer = provider_pb2.InvokeResponse()
        answer.__getattribute__("return").update({"value": "ami-0123456789abcdef0"})
        return answer

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        if request.old_inputs == request.news:
            return NO_CHANGE
        # A name is given once to what has one.
        renamed = request.old_inputs["name"] != request.news["name"] if "name" in request.news else False
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME, replaces=["name"] if renamed else []
        )

    def Create(self, request: Any, context: Any) -> Any:
        made = request.properties
        if "index:Lease::" in request.urn:
            made["leaseUntil"] = LEASE_UNTIL
        return provider_pb2.CreateResponse(
            id="" if request.preview else f"{request.name}-id", properties=made
        )

    def Update(self, request: Any, context: Any) -> Any:
        if request.name == os.environ.get("FAILS_AT"):
            context.abort(grpc.StatusCode.UNKNOWN, "planted")
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
