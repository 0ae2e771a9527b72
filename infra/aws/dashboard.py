"""One page of CloudWatch about a stack: what the machine does, and what it says. Pure."""

import json
from typing import Any

from infra.aws.agent import DIMENSION, DISK, GPU_BUSY, GPU_MEMORY, MEMORY

ERRORS = "Errors"
WIDTH, HEIGHT = 12, 6
"""Of the page's 24 columns."""
NEWEST = 50


def dashboard_body(region: str, namespace: str, group: str, log_group: str) -> str:
    """JSON of the page."""
    newest = (
        f"SOURCE '{log_group}' | fields @timestamp, level, message | sort @timestamp desc | limit {NEWEST}"
    )
    widgets = [
        _figure(region, "GPU busy, %", [[namespace, GPU_BUSY, DIMENSION, group]], percent=True),
        _figure(region, "GPU memory used, MiB", [[namespace, GPU_MEMORY, DIMENSION, group]]),
        _figure(
            region,
            "Memory and disk used, %",
            [[namespace, metric, DIMENSION, group] for metric in (MEMORY, DISK)],
            percent=True,
        ),
        _figure(region, "Errors", [[namespace, ERRORS, {"stat": "Sum"}]]),
        {
            "type": "log",
            "width": 2 * WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": f"The newest {NEWEST} records",
                "region": region,
                "query": newest,
                "view": "table",
            },
        },
    ]
    return json.dumps({"widgets": widgets})


def _figure(region: str, title: str, metrics: list[list[Any]], *, percent: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "title": title,
        "region": region,
        "metrics": metrics,
        "stat": "Maximum",
        "period": 60,
        "view": "timeSeries",
    }
    if percent:
        properties["yAxis"] = {"left": {"min": 0, "max": 100}}
    return {"type": "metric", "width": WIDTH, "height": HEIGHT, "properties": properties}
