"""A simulator for each test that wants one; it and all its pods are gone after it."""

from collections.abc import Iterator

import pytest

from tests.infra.runpod.simulator.asking import Account, account


@pytest.fixture
def runpod(tmp_path) -> Iterator[Account]:
    with account(tmp_path / "runpod", grace_s=1.0, provision_s=0.1, start_s=0.1) as client:
        yield client
