"""The peer's side of `peer_accuracy`: runs in an environment of its own that has ultralytics, imports nothing else.

python peer_yolo.py FOLDER: trains YOLO11n from random weights on FOLDER/data.yaml with the peer's defaults at 256 px
and writes what it finds in FOLDER/scored to FOLDER/found.json.
"""

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Train to the last epoch without validation, so that the epoch is not chosen on what is scored; then detect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ultralytics: Any = importlib.import_module("ultralytics")
    started = time.monotonic(), time.process_time()
    model = ultralytics.YOLO("yolo11n.yaml")
    model.train(
        data=str(options.folder / "data.yaml"),
        imgsz=256,
        epochs=options.epochs,
        seed=options.seed,
        pretrained=False,
        val=False,
        patience=options.epochs,
        device="cpu",
        workers=0,
        plots=False,
        project=str(options.folder),
        name="yolo",
        exist_ok=True,
    )
    train_s, train_cpu_s = time.monotonic() - started[0], time.process_time() - started[1]
    trained = ultralytics.YOLO(str(options.folder / "yolo" / "weights" / "last.pt"))
    found = {}
    for path in sorted((options.folder / "scored").iterdir()):
        (answer,) = trained.predict(str(path), imgsz=256, conf=0.01, device="cpu", verbose=False)
        boxes = answer.boxes
        found[path.name] = {
            "boxes": boxes.xyxy.tolist(),
            "scores": boxes.conf.tolist(),
            "labels": [int(v) for v in boxes.cls.tolist()],
        }
    told = {"version": ultralytics.__version__, "found": found, "wall_s": train_s, "processor_s": train_cpu_s}
    (options.folder / "found.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
