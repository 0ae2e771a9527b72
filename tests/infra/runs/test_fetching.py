"""A machine whose run is fetched is told so, now and then, and not after it."""

import time

from infra.errors import HostError
from infra.hosts.local import LocalHost
from infra.runs.fetching import SIGN, fetching


def test_the_sign_is_given_until_it_is_over(tmp_path) -> None:
    sign = tmp_path / SIGN
    with fetching(LocalHost(), str(tmp_path), every_s=0.05):
        first = sign.stat().st_mtime_ns
        deadline = time.monotonic() + 20
        while sign.stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    last = sign.stat().st_mtime_ns
    time.sleep(0.2)
    assert sign.stat().st_mtime_ns == last


def test_no_job_and_no_folder_are_no_trouble(tmp_path) -> None:
    with fetching(LocalHost(), None):
        pass
    with fetching(LocalHost(), str(tmp_path / "none")):
        pass
    assert not list(tmp_path.iterdir())


def test_a_connection_that_fails_is_the_fetchs_own_to_tell() -> None:
    class Broken:
        def run(self, words: list[str]) -> None:
            raise HostError("cut")

    with fetching(Broken(), "/job", every_s=0.01):  # type: ignore[arg-type]
        time.sleep(0.1)
