"""The page of a training: curves, figures and what was run, in one file that needs nothing else."""

import html
import json
from collections.abc import Sequence
from typing import Any

from app.storage import write_text
from app.training.run_folder import RunFolder

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 640, 220, 44


def write_run_page(run: RunFolder) -> None:
    """Write report.html from run.json and metrics.jsonl; a run without any metrics gets a page that says so.

    Raises:
        RunError: the record or the metrics are damaged.
        OutputError: the page cannot be written.
    """
    record, lines = run.read_record(), run.read_metrics()
    write_text(run.path / "report.html", run_page(run.path.name, record, lines))


def run_page(name: str, record: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    """The page as text."""
    steps = [line for line in lines if line.get("kind") == "step"]
    epochs = [line for line in lines if line.get("kind") == "epoch"]
    ends = [line for line in lines if line.get("kind") == "end"]
    best = max(epochs, key=lambda e: e["ap50"], default=None)
    config, data = record["config"], record["data"]
    split = data["split"]
    facts = {
        "Recipe": f"{config['name']}, {config['epochs']} epochs, batch {config['batch_size']}, "
        f"{config['size_px']} px, seed {config['seed']}",
        "Data": f"{data['root']}: {len(split['train'])} tiles to train, {len(split['val'])} to validate",
        "Classes": ", ".join(data["class_names"]),
        "Device": f"{record['device_plan']['device']} ({record['device_plan']['name']}), "
        f"{record['device_plan']['dtype']}",
        "Best": "no epoch was evaluated"
        if best is None
        else f"epoch {best['epoch']}: AP50 {best['ap50']:.3f}, AP50:95 {best['ap50_95']:.3f}",
        "Ended": ends[-1]["reason"] if ends else "still running, or killed",
    }
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
    charts = [
        _chart("Loss", [(s["step"], s["loss"]) for s in steps], "loss"),
        _chart("Validation", [(e["step"], e["ap50"]) for e in epochs], "AP50"),
        _chart("Speed", [(s["step"], s["images_per_s"]) for s in steps], "images/s"),
    ]
    settings = html.escape(json.dumps(config, indent=1))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Training {html.escape(name)}</title>
<style>
:root{{color-scheme:light dark;--ink:#1b2733;--paper:#fbfcfd;--line:#c9d3dc;--mark:#0b6e99}}
@media (prefers-color-scheme:dark){{:root{{--ink:#dde6ee;--paper:#10171e;--line:#2f3d4a;--mark:#58b7e0}}}}
body{{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:760px;
margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}th{{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top;
font-weight:600;white-space:nowrap}}svg{{width:100%;height:auto}}pre{{overflow:auto;font-size:12px}}
h2{{font-size:1.05rem;margin:1.6rem 0 .3rem}}small{{font-weight:400;opacity:.7}}
</style></head><body>
<h1>Training {html.escape(name)}</h1><table>{rows}</table>{"".join(charts)}
<details><summary>Every setting</summary><pre>{settings}</pre></details>
</body></html>
"""


def _chart(title: str, points: Sequence[tuple[float, float]], unit: str) -> str:
    """A line over steps, with the ends of both axes named."""
    if len(points) < 2:
        return f"<h2>{title}</h2><p>Too few figures for a curve ({len(points)}).</p>"
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low, high = min(0.0, *ys), max(ys) or 1.0
    left, right, top, bottom = MARGIN_PX, WIDTH_PX - 8, 10, HEIGHT_PX - 24
    span = max(xs[-1] - xs[0], 1)

    def place(x: float, y: float) -> str:
        across = left + (x - xs[0]) / span * (right - left)
        return f"{across:.1f},{bottom - (y - low) / (high - low) * (bottom - top):.1f}"

    line = " ".join(place(x, y) for x, y in points)
    axis = f'stroke="var(--line)" fill="none" d="M{left} {top}V{bottom}H{right}"'
    text = 'font-size="11" fill="currentColor"'
    heading = f"<h2>{title} <small>{unit}, {ys[-1]:.3g} at the end</small></h2>"
    return f"""{heading}<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img"
aria-label="{title}: from {ys[0]:.3g} to {ys[-1]:.3g} {unit}"><path {axis}/>
<polyline points="{line}" fill="none" stroke="var(--mark)" stroke-width="1.6"/>
<text x="{left - 6}" y="{top + 8}" text-anchor="end" {text}>{high:.3g}</text>
<text x="{left - 6}" y="{bottom}" text-anchor="end" {text}>{low:.3g}</text>
<text x="{left}" y="{HEIGHT_PX - 8}" {text}>step {xs[0]:.0f}</text>
<text x="{right}" y="{HEIGHT_PX - 8}" text-anchor="end" {text}>{xs[-1]:.0f}</text>
</svg>"""
