"""The pod's nvidia-smi, since this machine has no such GPU. A program on its own: the pod's gpu.json, then the words.

Answers what scripts ask: -L, and --query-gpu=FIELDS --format=csv[,noheader][,nounits] [-i N]; a short table otherwise.
"""

import json
import sys
from pathlib import Path
from typing import Any

DRIVER = "580.65.06"
UNITS = {"memory.total": "MiB", "memory.used": "MiB", "memory.free": "MiB", "utilization.gpu": "%",
         "utilization.memory": "%"}  # fmt: skip


def field(gpu: dict[str, Any], place: int, name: str) -> str | None:
    """One value; None where nvidia-smi of this pod does not know the field."""
    total = gpu["memory_mib"]
    used = total * gpu["memory_percent"] // 100
    return {
        "index": str(place),
        "count": str(gpu["count"]),
        "name": gpu["name"],
        "gpu_name": gpu["name"],
        "uuid": f"GPU-{gpu['uuid']}-{place}",
        "driver_version": DRIVER,
        "memory.total": str(total),
        "memory.used": str(used),
        "memory.free": str(total - used),
        "utilization.gpu": str(gpu["percent"]),
        "utilization.memory": str(gpu["memory_percent"]),
    }.get(name)


def query(gpu: dict[str, Any], places: list[int], names: list[str], form: list[str]) -> str:
    """Lines as --query-gpu answers them.

    Raises:
        ValueError: a field that is unknown.
    """
    units = "nounits" not in form
    lines = []
    if "noheader" not in form:
        lines.append(", ".join(f"{n} [{UNITS[n]}]" if units and n in UNITS else n for n in names))
    for place in places:
        values = []
        for name in names:
            value = field(gpu, place, name)
            if value is None:
                raise ValueError(f'Field "{name}" is not a valid field to query.')
            values.append(f"{value} {UNITS[name]}" if units and name in UNITS else value)
        lines.append(", ".join(values))
    return "\n".join(lines)


def main(path: Path, words: list[str]) -> int:
    gpu = json.loads(path.read_text())
    if gpu["broken"]:
        sys.stdout.write("Unable to determine the device handle for GPU0: 0000:01:00.0: Unknown Error\n")
        return 255
    given = dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("--"))
    places = list(range(gpu["count"]))
    if "-i" in words[:-1]:
        given["id"] = words[words.index("-i") + 1]
    if "id" in given:
        if given["id"] not in map(str, places):
            sys.stdout.write("No devices were found\n")
            return 6
        places = [int(given["id"])]
    if "query-gpu" in given:
        try:
            names = [name.strip() for name in given["query-gpu"].split(",")]
            sys.stdout.write(query(gpu, places, names, given.get("format", "csv").split(",")) + "\n")
        except ValueError as error:
            sys.stdout.write(f"{error}\n")
            return 2
    elif "-L" in words or "list-gpus" in given:
        for place in places:
            sys.stdout.write(f"GPU {place}: {gpu['name']} (UUID: {field(gpu, place, 'uuid')})\n")
    else:
        sys.stdout.write(f"NVIDIA-SMI {DRIVER} (SIMULATED)\n")
        for place in places:
            told = query(
                gpu,
                [place],
                ["index", "name", "memory.used", "memory.total", "utilization.gpu"],
                ["noheader"],
            )
            sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
