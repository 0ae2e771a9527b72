"""The environment of a stock image: made for real, with a stand-in for torch and for the program that installs."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREPARE = ROOT / "images" / "cloud" / "prepare.sh"
PIP = """
import os, sys, time
from pathlib import Path

site = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
words = sys.argv[1:]
if words == ["--version"]:
    sys.exit(0)
with open(os.environ["RECORD"], "a") as record:
    print(*words, file=record)
time.sleep(float(os.environ.get("TAKES_S", "0")))
if os.environ.get("FAILS", "never") in " ".join(words):
    sys.exit("ERROR: the index does not answer")
if "-r" in words:
    (site / "cv2.py").write_text(os.environ.get("CV2", ""))
    (site / "opencv_python-5.dist-info").mkdir(exist_ok=True)
    (site / "opencv_python-5.dist-info" / "METADATA").write_text("Name: opencv-python\\nVersion: 5\\n")
if "--editable" in words:
    (site / "code.pth").write_text(os.getcwd())
if "opencv-python-headless==5" in words:
    (site / "cv2.py").write_text("")
"""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A machine with an image's Python and the code's folder."""

    root: Path

    def start(self, **variables: str) -> subprocess.Popen[str]:
        told = {
            "PATH": "/usr/bin:/bin",
            "PYTHON": str(self.root / "image" / "bin" / "of-debian"),
            "RECORD": str(self.root / "record"),
            **variables,
        }
        return subprocess.Popen(
            ["sh", str(PREPARE), str(self.root / "venv")], cwd=self.root / "code", env=told, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def prepare(self, **variables: str) -> tuple[int, str, str]:
        process = self.start(**variables)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def asked(self) -> list[str]:
        record = self.root / "record"
        return record.read_text().splitlines() if record.exists() else []

    def brings(self, name: str, version: str) -> None:
        site = next((self.root / "image" / "lib").glob("python3*")) / "site-packages"
        for old in (*site.glob(f"{name}.py"), *site.glob(f"{name}-*")):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        (site / f"{name}.py").touch()
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


@pytest.fixture
def image(tmp_path) -> Image:
    """Its Python is an environment without ensurepip: the two traps of stock images at once."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "image"], check=True)
    stock = tmp_path / "image" / "bin" / "of-debian"
    stock.write_text(
        '#!/bin/sh\ncase "$*" in *--without-pip*) ;; "-m venv"*) echo "ensurepip is missing"; exit 1 ;; esac\n'
        f'exec {tmp_path}/image/bin/python "$@"\n'
    )
    stock.chmod(0o755)
    image = Image(root=tmp_path)
    image.brings("torch", "2.9.1+cu128")
    image.brings("torchvision", "0.24.1+cu128")
    site = next((tmp_path / "image" / "lib").glob("python3*")) / "site-packages"
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    (site / "pip" / "__main__.py").write_text(PIP)
    (tmp_path / "code" / "app").mkdir(parents=True)
    (tmp_path / "code" / "app" / "__init__.py").touch()
    for name in ("requirements.txt", "requirements-cloud.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / "code" / name)
    return image


def test_it_installs_all_but_torch_and_what_comes_with_it(image) -> None:
    code, out, err = image.prepare()
    assert (code, err) == (0, "")
    assert out == f"prepare: {image.root}/venv is ready, torch 2.9.1+cu128\n"
    installs = image.asked()
    assert len(installs) == 2
    assert all("--no-deps" in line for line in installs)
    assert "--editable ." in installs[1]
    wanted = set((image.root / "venv" / "requirements.txt").read_text().splitlines())
    every = set((ROOT / "requirements-cpu.txt").read_text().splitlines())
    assert {re.split("[ =]", line)[0] for line in every - wanted} == {"torch", "torchvision"}
    more = wanted - every
    assert more < set((ROOT / "requirements-cloud.txt").read_text().splitlines())
    names = {line.split("==")[0] for line in more}
    assert {"pyrage", "apprise"} <= names
    needed = {
        re.split("[^A-Za-z0-9-]", one)[0].lower() for one in requires("apprise") or () if ";" not in one
    }
    assert needed <= {line.split("==")[0] for line in wanted}
    python = image.root / "venv" / "bin" / "python"
    subprocess.run([python, "-c", "import app, torch, torchvision, cv2"], check=True, cwd="/")


def test_a_second_time_there_is_nothing_to_do_until_the_pins_change(image) -> None:
    image.prepare()
    assert image.prepare() == (0, f"prepare: {image.root}/venv is ready\n", "")
    assert len(image.asked()) == 2
    kept = image.root / "venv" / "kept"
    kept.touch()
    with (image.root / "code" / "requirements.txt").open("a") as pins:
        pins.write("another==1\n")
    assert image.prepare()[0] == 0
    assert len(image.asked()) == 4
    assert "another==1" in (image.root / "venv" / "requirements.txt").read_text()
    assert kept.exists()


def test_another_image_gets_an_environment_of_its_own(image) -> None:
    image.prepare()
    old = image.root / "venv" / "of-the-old-image"
    old.touch()
    image.brings("torch", "2.10.0")
    assert image.prepare()[1].endswith("is ready, torch 2.10.0\n")
    assert not old.exists()


def test_without_opengl_the_headless_build_of_the_same_version_comes(image) -> None:
    code, _, err = image.prepare(CV2="raise ImportError('libGL.so.1')")
    assert (code, err) == (0, "")
    assert "opencv-python-headless==5" in image.asked()[-1]
    assert "--no-deps" in image.asked()[-1]


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("-r ", "packages cannot be installed: ERROR: the index does not answer"),
        ("--editable", "the project cannot be installed: ERROR: the index does not answer"),
    ],
)
def test_a_failure_is_one_line_and_the_next_time_it_goes_on(image, fails, told) -> None:
    code, out, err = image.prepare(FAILS=fails)
    assert (code, out) == (1, "")
    assert err == f"prepare: {told} (all of it: {image.root}/venv.log)\n"
    assert image.prepare()[0] == 0


def test_old_pins_are_not_taken_for_ready_after_new_ones_failed_half_way(image) -> None:
    image.prepare()
    pins = image.root / "code" / "requirements.txt"
    old = pins.read_text()
    pins.write_text(old + "another==1\n")
    assert image.prepare(FAILS="--editable")[0] == 1
    pins.write_text(old)
    before = len(image.asked())
    assert image.prepare()[0] == 0
    assert len(image.asked()) == before + 2


def test_an_environment_that_does_not_work_is_not_called_ready(image) -> None:
    (image.root / "code" / "app" / "__init__.py").write_text("import what_is_not_there\n")
    code, _, err = image.prepare()
    assert code == 1
    assert err.startswith("prepare: the environment does not work: ModuleNotFoundError")
    (image.root / "code" / "app" / "__init__.py").write_text("")
    assert image.prepare()[0] == 0


def test_two_at_once_make_it_once(image) -> None:
    processes = [image.start(TAKES_S="0.5") for _ in range(3)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert len(image.asked()) == 2


def test_one_that_was_killed_leaves_neither_a_lock_nor_half_an_environment(image) -> None:
    process = image.start(TAKES_S="60")
    deadline = time.monotonic() + 20
    while not image.asked():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    assert image.prepare()[0] == 0
    assert image.prepare()[1].endswith("is ready\n")


def test_without_torch_and_outside_the_code_it_says_what_to_do(image) -> None:
    bare = image.root / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    for name in ("sh", "grep", "cat"):
        (bare / "bin" / name).symlink_to(shutil.which(name) or "")
    code, _, err = image.prepare(PYTHON="no-such-python", PATH=str(bare / "bin"))
    assert code == 1
    assert err.startswith("prepare: no Python 3.11 or newer here has torch and torchvision; take an image")
    (image.root / "code" / "requirements.txt").unlink()
    code, _, err = image.prepare()
    assert code == 1
    assert err.endswith("code is not the code's folder; change there first\n")
    done = subprocess.run(["sh", PREPARE], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "prepare: name one folder for the virtual environment\n"


def test_a_known_linter_finds_nothing() -> None:
    shellcheck = shutil.which(
        "shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, PREPARE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
