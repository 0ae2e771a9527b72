"""The comparison as a picture: one bar a machine from its low to its high end in dollars, on a logarithmic axis."""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.compare import Row

WIDTH_PX, ROW_PX, LEFT_PX, TOP_PX = 1040, 26, 500, 60
LABEL_LETTERS = 76
"""What fits left of the bars."""


def draw(rows: Sequence["Row"], title: str) -> str:
    """An SVG of its own; machines without a figure, and those that cost nothing, are named below."""
    shown = [(r, r.usd) for r in rows if r.usd is not None and r.usd[0] > 0]
    free = [f"{r.where} ({r.device})" for r in rows if r.usd is not None and r.usd[0] <= 0]
    left_out = [f"{r.where} ({r.device})" for r in rows if r.usd is None]
    ends = [end for _, usd in shown for end in usd] or [0.01, 1.0]
    low = 10 ** math.floor(math.log10(min(ends)))
    high = max(10 ** math.ceil(math.log10(max(ends))), low * 10)
    height = TOP_PX + ROW_PX * len(shown) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH_PX}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="bold">Dollars for {escape(title)}</text>',
    ]
    power = low
    while power <= high * 1.001:
        x = _x(power, low, high)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP_PX - 12}" x2="{x:.1f}" y2="{height - 44}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{TOP_PX - 16}" text-anchor="middle" fill="#555">${power:g}</text>'
        )
        power *= 10
    for number, (r, usd) in enumerate(shown):
        y = TOP_PX + ROW_PX * number
        x1, x2 = (_x(end, low, high) for end in usd)
        colour = "#1f6f8b" if r.basis == "measured" else "#8fb8c6"
        label = f"{r.where}, {r.device}"
        parts.append(
            f'<text x="{LEFT_PX - 10}" y="{y + 14}" text-anchor="end">{escape(label[:LABEL_LETTERS])}</text>'
        )
        parts.append(
            f'<rect x="{x1:.1f}" y="{y + 3}" width="{max(x2 - x1, 3):.1f}" height="15" fill="{colour}"/>'
        )
    note = "dark: measured; light: from the formula, low to high"
    if free:
        note += f"; from $0 on: {', '.join(free)}"
    if left_out:
        note += f"; not measured: {', '.join(left_out)}"
    parts.append(f'<text x="16" y="{height - 16}" fill="#555">{escape(note[:150])}</text></svg>')
    return "\n".join(parts) + "\n"


def _x(usd: float, low: float, high: float) -> float:
    share = (math.log10(usd) - math.log10(low)) / (math.log10(high) - math.log10(low))
    return LEFT_PX + share * (WIDTH_PX - LEFT_PX - 30)
