"""One page of Azure Monitor about a stack: what the machine does, and what it says. Pure.

Source: workbook templates (Notebook/1.0, KqlItem/1.0) as the portal's own export writes them, read 2026-11.
"""

import json
from typing import Any

from infra.azure.tables import GPU, RECORDS

FULL_PERCENT = 90
DISK_FIGURES = 'Perf | where ObjectName == "Logical Disk" and CounterName == "% Used Space"'
MEMORY_FIGURES = 'Perf | where ObjectName == "Memory" and CounterName == "% Used Memory"'
ERRORS = f'{RECORDS} | where Level in ("ERROR", "CRITICAL")'
"""Of the application's structured records."""
NEWEST = 50
SHOWN_MS = 4 * 60 * 60 * 1000


def page(workspace_id: str) -> str:
    """JSON of the page."""
    by_minute = "bin(TimeGenerated, 1m)"
    items = [
        _chart("GPU busy, %", f"{GPU} | summarize max(BusyPercent) by {by_minute}, Gpu"),
        _chart("GPU memory used, MiB", f"{GPU} | summarize max(MemoryMib) by {by_minute}, Gpu"),
        _chart(
            "Memory and disk used, %",
            f"union ({MEMORY_FIGURES}), ({DISK_FIGURES}) | summarize max(CounterValue) by {by_minute}, ObjectName",
        ),
        _chart("Errors", f"{ERRORS} | summarize count() by {by_minute}"),
        _part(
            f"The newest {NEWEST} records",
            f"{RECORDS} | project TimeGenerated, Level, Message | top {NEWEST} by TimeGenerated desc",
            "table",
        ),
    ]
    return json.dumps(
        {
            "version": "Notebook/1.0",
            "items": items,
            "isLocked": False,
            "fallbackResourceIds": [workspace_id],
        }
    )


def _chart(title: str, query: str) -> dict[str, Any]:
    return _part(title, query, "timechart")


def _part(title: str, query: str, visualization: str) -> dict[str, Any]:
    return {
        "type": 3,
        "name": title,
        "content": {
            "version": "KqlItem/1.0",
            "title": title,
            "query": query,
            "size": 0,
            "timeContext": {"durationMs": SHOWN_MS},
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "visualization": visualization,
        },
    }
