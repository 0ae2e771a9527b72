"""What the run's log costs a training: `python -m benchmarks.run_log [--rounds 5] [--json FILE]`.

The same small training on one core of the CPU, in turn without a log, with log.jsonl alone, and with CloudWatch beside
it: reachable (moto, a process of its own), throttling every call, and not there at all. A record at every step,
ten times as often as in earnest. Seconds are those of the training thread's processor, which other work on the machine
does not touch much, and of the clock; of steps the least of the rounds counts, of records all of them.
"""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from app.config.settings import Settings, load_settings
from app.dataset.simulated import write_simulated_tiles
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.telemetry import cloud_logger
from app.telemetry.progress import Silent
from app.training import loop
from app.training.job import prepare_job
from app.training.limits import Limits
from app.training.recipe import TrainConfig
from app.training.run_folder import RunFolder
from app.training.run_log import RunLog

GROUP = "/sonarstack/benchmark"
TILES, SIZE_PX, BATCH, EPOCHS = 64, 128, 8, 4
RECORDS = 2000
VARIANTS = ("none", "local", "aws", "aws throttled", "aws down")
THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()


class _Throttling(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(THROTTLED)))
        self.end_headers()
        self.wfile.write(THROTTLED)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
        """Nothing."""


@contextmanager
def clouds() -> Iterator[dict[str, str]]:
    """Addresses of an AWS for each variant that has one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    throttling = ThreadingHTTPServer(("127.0.0.1", 0), _Throttling)
    threading.Thread(target=throttling.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield {
            "aws": address,
            "aws throttled": f"http://127.0.0.1:{throttling.server_port}",
            "aws down": "http://127.0.0.1:9",
        }
    finally:
        throttling.shutdown()
        throttling.server_close()
        moto.terminate()
        moto.wait()


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/moto-api/", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            break
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="eu-central-1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    import boto3

    boto3.client("logs", endpoint_url=address).create_log_group(logGroupName=GROUP)


def settings_of(variant: str, addresses: dict[str, str]) -> Settings:
    """The log that the variant means, with its AWS in the environment."""
    if variant not in addresses:
        return load_settings(variables={}).settings
    os.environ["AWS_ENDPOINT_URL"] = addresses[variant]
    told = {"SONARSTACK_LOG_PROVIDER": "aws", "SONARSTACK_LOG_GROUP": GROUP}
    return load_settings(variables=told).settings


def with_log(variant: str, run: RunFolder, addresses: dict[str, str]) -> Callable[[], None]:
    """Attach the variant's log; gives what closes it."""
    if variant == "none":
        return lambda: None
    return RunLog(settings_of(variant, addresses), run, Silent()).close


def step_seconds(variant: str, data: Path, folder: Path, addresses: dict[str, str]) -> tuple[float, float]:
    """One training: seconds a step of its thread's processor, and of the clock."""
    run = RunFolder(folder / "run")
    plan = plan_device(choose_device("cpu"), threads=1, dtype="float32")
    plan.apply()
    config = TrainConfig(
        name="logging", size_px=SIZE_PX, batch_size=BATCH, epochs=EPOCHS, evaluate_every=1000
    )
    job = prepare_job(
        data=data,
        run=run,
        config=config,
        plan=plan,
        limits=Limits(),
        resume=False,
        skip_bad=False,
        progress=Silent(),
    )
    close = with_log(variant, run, addresses)
    processor, clock = time.thread_time(), time.perf_counter()
    loop.train(job, Silent())
    used, took = time.thread_time() - processor, time.perf_counter() - clock
    steps = sum(line["kind"] == "step" for line in run.read_metrics())
    close()
    return used / steps, took / steps


def record_seconds(variant: str, folder: Path, addresses: dict[str, str]) -> list[tuple[float, float]]:
    """What each of many records cost its caller: processor and clock."""
    run = RunFolder(folder / "run")
    run.write_record({"version": 1})
    close = with_log(variant, run, addresses)
    figures = {"loss": 1.25, "images_per_s": 100.0, "batch_s": 0.01, "errors": {"nonfinite_loss": 0}}
    took = []
    for step in range(RECORDS):
        processor, clock = time.thread_time(), time.perf_counter()
        run.listener({"kind": "step", "step": step, **figures})
        took.append((time.thread_time() - processor, time.perf_counter() - clock))
    close()
    return took


def main() -> None:
    """Measure, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    loop.LOG_EVERY_STEPS = 1
    cloud_logger.CLOSE_WITHIN_S = 1.0
    steps: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
    records: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
    base = Path(tempfile.mkdtemp())
    try:
        write_simulated_tiles(base / "data", TILES, seed=3, progress=Silent())
        with clouds() as addresses:
            for number in range(options.rounds):
                for variant in VARIANTS:
                    place = base / f"{number}-{variant}"
                    steps[variant].append(step_seconds(variant, base / "data", place, addresses))
                    records[variant] += record_seconds(variant, place / "records", addresses)
    finally:
        shutil.rmtree(base, ignore_errors=True)  # a thread that was left behind may still write there
    rows = [_row(variant, steps, records) for variant in VARIANTS]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(
        "log             a step: processor ms   of none   clock ms   a record: processor us   clock us   99 of 100"
    )
    for row in rows:
        print(
            f"{row['log']:<14} {row['processor_ms']:>21.2f} {row['of_none']:>9.3f} {row['clock_ms']:>10.2f} "
            f"{row['record_processor_us']:>24.0f} {row['record_median_us']:>10.0f} {row['record_p99_us']:>11.0f}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps({"rounds": options.rounds, "rows": rows}, indent=1) + "\n")


def _row(
    variant: str, steps: dict[str, list[tuple[float, float]]], records: dict[str, list[tuple[float, float]]]
) -> dict[str, Any]:
    least = min(used for used, _ in steps[variant])
    used_us = [used * 1e6 for used, _ in records[variant]]
    took_us = sorted(clock * 1e6 for _, clock in records[variant])
    return {
        "log": variant,
        "processor_ms": round(least * 1000, 3),
        "of_none": round(least / min(used for used, _ in steps["none"]), 4),
        "clock_ms": round(min(clock for _, clock in steps[variant]) * 1000, 3),
        "record_processor_us": round(statistics.mean(used_us), 1),
        "record_median_us": round(statistics.median(took_us), 1),
        "record_p99_us": round(took_us[len(took_us) * 99 // 100], 1),
    }


if __name__ == "__main__":
    main()
