"""Fixtures that every test may use: the real recordings where they are, and the device to test on."""

import os
import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device", default="cpu", help="device that the device tests run on: cpu, cuda, mps, xpu, auto"
    )


def pytest_configure() -> None:
    """Ctrl-C counts: in the background it is ignored, by the tests and by all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def device_request(request: pytest.FixtureRequest) -> str:
    """What was given as --device."""
    return str(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real recordings (`xtf/`, `sdvd/`, `wrecks/`); skips where it is absent."""
    folder = Path(os.environ.get("SONARSTACK_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "xtf").is_dir():
        pytest.skip(
            f"no real sonar data in {folder}; set SONARSTACK_TEST_DATA to a folder with xtf/ sdvd/ wrecks/"
        )
    return folder
