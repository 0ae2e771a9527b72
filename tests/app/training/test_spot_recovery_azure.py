"""Azure evicts a machine in the middle of an epoch; the next one, with nothing on its disk, goes on from az://.

All of it real but the cloud: two processes of `python -m app train` as a machine of the stack starts them, data and run
in Azurite through adlfs by the tokens of the machine's identity, the notice from scheduled events on loopback.
"""

import time
from pathlib import Path

import pytest

from app.exit_codes import ExitCode
from app.training.manifest import verify_manifest
from tests.app.azure import AzureMachine, azure_machine_of, put_azure_data
from tests.app.training.made_run import write_squares
from tests.app.training.spot_machine import (
    EPOCHS,
    STEPS_AN_EPOCH,
    Machine,
    resumed_from,
    same,
    uninterrupted,
    weights,
)
from tests.infra.azure.azurite import Azurite


def machine(folder: Path, cloud: AzureMachine) -> Machine:
    variables = {
        **cloud.variables(),
        "SONARSTACK_CLOUD": "azure",
        "SONARSTACK_DATA_URL": "az://data/sets/squares",
        "SONARSTACK_RUN_URL": "az://runs/st/one",
    }
    return Machine(folder, variables, asks="azure:ScheduledEvents")


@pytest.mark.slow
def test_the_next_machine_ends_with_the_weights_of_an_uninterrupted_run(
    azurite_tls: Azurite, tmp_path: Path
) -> None:
    pytest.importorskip("adlfs", reason="needs adlfs: pip install 'sonarstack[cloud]'")
    data = write_squares(tmp_path / "data", count=40)
    put_azure_data(azurite_tls, data, "sets/squares")
    with azure_machine_of(azurite_tls) as cloud:
        first = machine(tmp_path / "first", cloud)
        first.until_step(5)
        cloud.metadata.tell("Preempt", of=("somebody-else",))
        first.until_step(10)
        told_s = time.monotonic()
        cloud.metadata.evict()
        code, output = first.end()
        took_s = time.monotonic() - told_s
        assert cloud.metadata.approved == []
    assert code == ExitCode.INTERRUPTED, output
    assert "Azure takes this spot machine at " in output
    assert first.metrics()[-1]["reason"].startswith("Azure takes this spot machine at ")
    stopped_at = first.latest()["step"]
    assert 10 <= stopped_at < EPOCHS * STEPS_AN_EPOCH
    assert stopped_at % STEPS_AN_EPOCH != 0
    # Checkpoint and manifest are in the container before this process ends.
    kept = azurite_tls.blobs("runs")
    assert f"st/one/checkpoints/step-{stopped_at:08d}.pt" in kept
    assert "st/one/manifest.json" in kept

    with azure_machine_of(azurite_tls) as cloud:
        second = machine(tmp_path / "second", cloud)
        uninterrupted(data, tmp_path / "whole")
        code, output = second.end()
    assert code == ExitCode.DONE, output
    lost = stopped_at - resumed_from(output)
    print(f"evicted at step {stopped_at}: {lost} steps lost, {took_s:.1f} s from the notice to the exit")
    assert lost == 0
    # Nothing was done twice either: the figures go on where they stopped.
    steps = [line["step"] for line in second.metrics() if line["kind"] == "step"]
    assert steps == sorted(set(steps))
    assert second.latest()["step"] == EPOCHS * STEPS_AN_EPOCH
    assert same(weights(second.run), weights(tmp_path / "whole"))
    assert verify_manifest(second.run) == []
