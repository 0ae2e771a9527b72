"""An AWS on loopback (moto's server, asked by the real boto3), and the variables that lead there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage import sha256_file

REGION = "eu-central-1"


def aws_variables(address: str) -> dict[str, str]:
    """What a machine of that AWS has in its environment; nothing of the user's own."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a fresh AWS; boto3 in this process finds it by itself."""
    pytest.importorskip("boto3", reason="needs boto3: pip install 'sonarstack[dev]'")
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'sonarstack[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in aws_variables(address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # One process has one moto: what another test left goes.
    import urllib.request

    import boto3

    request = urllib.request.Request(f"{address}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield address
    running.stop()


def put_data(folder: Path, bucket: str, prefix: str) -> None:
    """A folder in a bucket as the stacks send one: its files, and an index with their checksums."""
    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    for name, path in files.items():
        client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=path.read_bytes())
    index = {"owner": "st", "files": {name: [sha256_file(path)] for name, path in files.items()}}
    client.put_object(Bucket=bucket, Key=f"{prefix}/mirror.json", Body=json.dumps(index).encode())
