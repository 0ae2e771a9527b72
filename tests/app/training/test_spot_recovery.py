"""A spot machine is taken in the middle of an epoch; the next one, with nothing on its disk, goes on from the bucket.

All of it real but the cloud: two processes of `python -m app train`, data and run in a bucket of moto's server through
s3fs, the notice from a metadata address on loopback.
"""

from pathlib import Path

import pytest

from app.exit_codes import ExitCode
from app.training.manifest import verify_manifest
from tests.app.aws import aws, aws_variables, put_data
from tests.app.telemetry.interruption_notices.metadata import metadata_server
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

__all__ = ["aws"]

BUCKET = "sonarstack-test"


def machine(folder: Path, aws_address: str, metadata_address: str) -> Machine:
    variables = {
        **aws_variables(aws_address),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_address,
        "SONARSTACK_CLOUD": "aws",
        "SONARSTACK_DATA_URL": f"s3://{BUCKET}/data",
        "SONARSTACK_RUN_URL": f"s3://{BUCKET}/runs/st/one",
    }
    return Machine(folder, variables, asks="aws:SpotNotices")


@pytest.mark.slow
def test_the_next_machine_ends_with_the_weights_of_an_uninterrupted_run(aws: str, tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'sonarstack[cloud]'")
    data = write_squares(tmp_path / "data", count=40)
    put_data(data, BUCKET, "data")
    with metadata_server() as metadata:
        first = machine(tmp_path / "first", aws, metadata.address)
        first.until_step(10)
        metadata.interrupt()
        code, output = first.end()
    assert code == ExitCode.INTERRUPTED, output
    assert "AWS takes this spot machine at 2026-11-28T12:02:00Z (terminate)" in output
    assert first.metrics()[-1]["reason"].startswith("AWS takes this spot machine")
    stopped_at = first.latest()["step"]
    assert 10 <= stopped_at < EPOCHS * STEPS_AN_EPOCH
    assert stopped_at % STEPS_AN_EPOCH != 0

    with metadata_server() as metadata:
        second = machine(tmp_path / "second", aws, metadata.address)
        uninterrupted(data, tmp_path / "whole")
        code, output = second.end()
    assert code == ExitCode.DONE, output
    assert stopped_at - resumed_from(output) == 0
    # Nothing was done twice either: the figures go on where they stopped.
    steps = [line["step"] for line in second.metrics() if line["kind"] == "step"]
    assert steps == sorted(set(steps))
    assert second.latest()["step"] == EPOCHS * STEPS_AN_EPOCH
    assert same(weights(second.run), weights(tmp_path / "whole"))
    assert verify_manifest(second.run) == []
