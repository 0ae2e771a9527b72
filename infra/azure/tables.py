"""Tables of a stack's records and GPU figures, and the streams that fill them. Pure.

Source: Logs Ingestion API and data collection rules (stream declarations, data flows, column types), read 2026-11. A
column's name may be none of _ResourceId, id, TenantId, Type, UniqueId, Title, in any case of letters.
"""

from collections.abc import Mapping

RECORDS, GPU = "Sonarstack_CL", "SonarstackGpu_CL"
"""Custom tables end in _CL, whether one wants it or not."""
TIME = "TimeGenerated"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    RECORDS: {
        TIME: "datetime", "RecordId": "string", "Level": "string", "Kind": "string", "Message": "string",
        "Run": "string", "Host": "string", "Step": "long", "Figures": "dynamic",
    },
    GPU: {
        TIME: "datetime", "Host": "string", "Gpu": "string", "BusyPercent": "real", "MemoryMib": "real",
        "PowerW": "real", "TemperatureC": "real",
    },
}  # fmt: skip
"""Of each table."""
SENT: Mapping[str, Mapping[str, str]] = {
    RECORDS: {"Id" if name == "RecordId" else name: kind for name, kind in COLUMNS[RECORDS].items()},
    GPU: COLUMNS[GPU],
}
"""Of each table's stream: what is sent. A stream may have a column that a table may not."""
TURNED = {RECORDS: "source | project-rename RecordId = Id", GPU: "source"}
"""What is sent, as the table has it."""


def stream(table: str) -> str:
    """The stream that fills a table."""
    return f"Custom-{table}"


def stream_address(endpoint: str, rule: str, table: str) -> str:
    """Where rows of a table are posted; `rule` is the rule's immutable id."""
    return f"{endpoint}/dataCollectionRules/{rule}/streams/{stream(table)}"
