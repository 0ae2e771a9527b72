"""YOLO11n as a worker of `benchmarks.training`: Ultralytics' own model, loss, average and loader.

Runs in an environment of its own that has ultralytics; nothing of this project but `turns` is imported. Weights are
random: the pre-trained ones are no part of a comparison of speed. The optimiser is torch's SGD with Nesterov
momentum, the cheapest of those that Ultralytics offers.
"""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.turns import serve


class Peer:
    """One way to train it: number format, layout and threads."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._load = importlib.import_module
        tasks, torch_part = self._load("ultralytics.nn.tasks"), self._load("ultralytics.utils.torch_utils")
        self.size_px, self.batch_size = given.size_px, given.batch_size
        self.config = self._load("ultralytics.cfg").get_cfg(
            overrides={"imgsz": given.size_px, "batch": given.batch_size, "task": "detect", "mode": "train"}
        )
        torch.manual_seed(0)
        self.layout = torch.channels_last if given.channels_last else torch.contiguous_format
        self.half = given.dtype == "bfloat16"
        self.model: Any = tasks.DetectionModel("yolo11n.yaml", ch=3, nc=1, verbose=False)
        self.model.args = self.config
        self.model = self.model.to(memory_format=self.layout).train()
        self.average = torch_part.ModelEMA(self.model)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.937, nesterov=True, weight_decay=5e-4
        )
        self._same = [next(batches) for batches in [self._batches(given.data)] for _ in range(4)]
        self._endless = self._batches(given.data)
        self._turn = 0

    def _batches(self, data: Path) -> Iterator[dict[str, Any]]:
        build = self._load("ultralytics.data.build")
        about = {"path": str(data), "names": {0: "target"}, "nc": 1, "channels": 3}
        dataset = build.build_yolo_dataset(self.config, str(data / "images"), self.batch_size, about)
        loader = build.build_dataloader(dataset, self.batch_size, workers=self.config.workers, device="cpu")
        while True:
            yield from loader

    def without_loader(self) -> float:
        """A step on a batch that is there already."""
        self._turn += 1
        return self._step(self._same[self._turn % len(self._same)])

    def with_loader(self) -> float:
        """A step on a batch from Ultralytics' loader."""
        return self._step(next(self._endless))

    def _step(self, batch: dict[str, Any]) -> float:
        images = (batch["img"].float() / 255).to(memory_format=self.layout)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            loss, _ = self.model({**batch, "img": images})
            total = loss.sum()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update(self.model)
        return len(images)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size-px", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--threads", type=int, help="instead of what Ultralytics takes")
    given = parser.parse_args()
    version = importlib.import_module("ultralytics").__version__
    threads = given.threads or int(importlib.import_module("ultralytics.utils").NUM_THREADS)
    torch.set_num_threads(threads)
    peer = Peer(given)
    peer.without_loader()
    facts = {"ultralytics": version, "torch": torch.__version__, "threads": threads}
    facts["parameters"] = sum(p.numel() for p in peer.model.parameters())
    serve({"off": peer.without_loader, "on": peer.with_loader}, facts)


if __name__ == "__main__":
    main()
