"""Hosts and lines to them."""

import socket
from collections.abc import Iterator

import pytest

from infra.hosts.ssh import SshHost
from tests.infra.hosts.proxy import Line, line_to


@pytest.fixture
def host(sshd) -> Iterator[SshHost]:
    """The server, directly."""
    made = SshHost(sshd.address, host_key=sshd.host_key, identity=sshd.identity, identity_only=True)
    yield made
    made.close()


@pytest.fixture
def line(sshd) -> Iterator[Line]:
    """A line to the server that can be cut."""
    with line_to(sshd.address) as made:
        yield made


@pytest.fixture
def far(sshd, line) -> Iterator[SshHost]:
    """The server at the other end of the line."""
    made = SshHost(
        line.address(sshd.address), host_key=sshd.host_key, identity=sshd.identity, identity_only=True
    )
    yield made
    made.close()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
