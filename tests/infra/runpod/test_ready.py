"""A pod that is well and whose key is not ours is no bad host."""

from urllib.parse import urlsplit

import pytest

from infra.hosts.keys import ensure_key
from infra.runpod.errors import RefusedError
from infra.runpod.ready import LINE, wait_ready
from infra.runpod.wire import LogLine
from tests.infra.runpod.things import SPEC, STAMP, lease, pod
from tests.sshd import Server, sshd

__all__ = ["sshd"]


class Client:
    """One pod that runs, has told all, and whose SSH is a real one."""

    def __init__(self, sshd: Server) -> None:
        at = urlsplit(sshd.address)
        self._ssh = (str(at.hostname), at.port, str(at.username))
        self._host_key = sshd.host_key

    def pod(self, pod_id: str):
        return pod(id_=pod_id, ssh=self._ssh)

    def logs(self, pod_id: str, **_: object) -> list[LogLine]:
        said = (f"host key {self._host_key}", "the pod's own key is accepted", "GPUs: RTX 4090")
        return [
            LogLine(ts="t", source="container", line=f"{LINE}{line}") for line in (*said, "GPU check: fine")
        ]


@pytest.mark.parametrize(
    ("made", "reason"), [(False, "not on this machine"), (True, "does not accept the key")]
)
def test_a_key_that_does_not_open_it_ends_nothing(sshd, tmp_path, monkeypatch, made, reason) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    if made:
        ensure_key(STAMP)
    with pytest.raises(RefusedError, match=f"pod p1 lives and was not ended, but SSH is closed.*{reason}"):
        wait_ready(Client(sshd), lease(), gpus=SPEC.gpu_count, timeout_s=10.0, sleep=lambda _: None)
