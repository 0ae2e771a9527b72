"""The page of an evaluation: one HTML file with its pictures inside; it needs nothing else."""

import html
from collections.abc import Sequence
from typing import Any

from app.evaluation.bands import Bands
from app.evaluation.calibration import Calibration
from app.evaluation.false_alarms import EmptyGround, FalseAlarmPoint
from app.evaluation.score import Scores

SIDE_PX, MARGIN_PX, WIDTH_PX, HEIGHT_PX = 280, 36, 640, 220
STYLE = """
:root{color-scheme:light dark;--ink:#1b2733;--paper:#fbfcfd;--line:#c9d3dc;--mark:#0b6e99;--warn:#b3541e}
@media (prefers-color-scheme:dark){:root{--ink:#dde6ee;--paper:#10171e;--line:#2f3d4a;--mark:#58b7e0;--warn:#e59866}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:760px;margin:2rem auto;
padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{padding:.2rem .8rem .2rem 0;text-align:right}
td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid var(--line)}
h2{font-size:1.05rem;margin:1.8rem 0 .3rem}svg{max-width:100%;height:auto}small{opacity:.75}.warn{color:var(--warn)}
"""


def evaluation_page(
    *,
    model: str,
    what: str,
    scores: Scores | None,
    grounds: Sequence[EmptyGround] = (),
    points: Sequence[FalseAlarmPoint] = (),
) -> str:
    """The page as text.

    Args:
        what: was scored, in words.
        scores: None where no labelled tiles were given.
        points: the thresholds that were chosen, one for each ground.
    """
    parts = [f"<h1>Evaluation</h1><p>{html.escape(model)}</p>"]
    if scores is not None:
        parts += [_headline(scores, what), _calibration(scores.calibration)]
        parts += [
            _table("By class", "class", scores.per_class),
            _table(
                "By size in the tile",
                "size",
                scores.per_size,
                "Square root of the box's area: 32 and 96 pixels.",
            ),
            _table("By size on the seabed", "size", scores.per_size_m, "Square root of the box's area."),
            _table(
                "By distance from the track",
                "distance",
                scores.per_range_m,
                "Of the box's middle, along the bottom.",
            ),
        ]
        if not scores.per_size_m:
            parts.append(
                "<p><small>Nobody knows how large a pixel of these tiles is, nor how far from the track they lie; "
                "tiles that were cut from surveys with <code>import</code> do.</small></p>"
            )
    if grounds:
        parts.append(_false_alarms(grounds, points))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Evaluation</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _headline(scores: Scores, what: str) -> str:
    return (
        f"<p>{html.escape(what)}, {scores.boxes} boxes in {scores.images} tiles. AP50 <b>{scores.ap50:.3f}</b>, "
        f"AP50:95 <b>{scores.ap50_95:.3f}</b>; at confidence {scores.threshold:.2f} precision "
        f"{scores.precision:.3f} and recall {scores.recall:.3f}.</p>"
    )


def _table(title: str, first: str, rows: Bands, note: str = "") -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{int(row['boxes'])}</td><td>{row['ap50']:.3f}</td>"
        f"<td>{row['ap50_95']:.3f}</td><td>{row['recall']:.3f}</td></tr>"
        for name, row in rows.items()
    )
    head = f"<tr><th>{first}</th><th>boxes</th><th>AP50</th><th>AP50:95</th><th>recall</th></tr>"
    return f"<h2>{title}</h2><table>{head}{cells}</table>" + (f"<p><small>{note}</small></p>" if note else "")


def _calibration(calibration: Calibration) -> str:
    title = "<h2>Does confidence come true?</h2>"
    if not calibration.bins:
        return f"{title}<p>No detection is confident enough to tell.</p>"
    low, high = MARGIN_PX, MARGIN_PX + SIDE_PX

    def place(confidence: float, precision: float) -> tuple[float, float]:
        return low + confidence * SIDE_PX, high - precision * SIDE_PX

    most = max(b.count for b in calibration.bins)
    marks, line = [], []
    for b in calibration.bins:
        x, y = place(b.confidence, b.precision)
        line.append(f"{x:.1f},{y:.1f}")
        marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 7 * (b.count / most) ** 0.5:.1f}" fill="var(--mark)" '
            f'fill-opacity=".6"><title>{b.low:.1f} to {b.high:.1f}: {b.count} detections, confidence '
            f"{b.confidence:.2f}, precision {b.precision:.2f}</title></circle>"
        )
    text = 'font-size="11" fill="currentColor"'
    picture = (
        f'<svg viewBox="0 0 {high + 12} {high + 34}" width="{high + 12}" role="img" '
        'aria-label="Precision against confidence">'
        f'<path d="M{low} {low}V{high}H{high}M{low} {high}L{high} {low}" stroke="var(--line)" fill="none"/>'
        f'<polyline points="{" ".join(line)}" fill="none" stroke="var(--mark)" stroke-width="1.5"/>{"".join(marks)}'
        f'<text x="{low}" y="{high + 14}" {text}>0</text><text x="{high - 6}" y="{high + 14}" {text}>1</text>'
        f'<text x="{low + SIDE_PX / 2 - 30}" y="{high + 28}" {text}>confidence</text>'
        f'<text x="{low - 12}" y="{low + 4}" {text}>1</text><text x="4" y="{low - 10}" {text}>precision</text></svg>'
    )
    rows = "".join(
        f"<tr><td>{b.low:.1f} to {b.high:.1f}</td><td>{b.count}</td>"
        f"<td>{b.confidence:.3f}</td><td>{b.precision:.3f}</td></tr>"
        for b in calibration.bins
    )
    return (
        f"{title}<p>Expected calibration error {calibration.expected_error:.3f} over {calibration.detections} "
        "detections: how far confidence and precision are apart on average. On the line they agree; above it the "
        f"model is more often right than it says.</p>{picture}<table><tr><th>confidence</th><th>detections</th>"
        f"<th>mean</th><th>precision</th></tr>{rows}</table>"
    )


def _false_alarms(grounds: Sequence[EmptyGround], points: Sequence[FalseAlarmPoint]) -> str:
    curves = "".join(_curve(ground) for ground in grounds)
    chosen = "".join(
        f"<p{'' if point.enough else ' class=warn'}>{point.wanted_per_km2:g} per km² wanted: "
        f"{html.escape(point.as_text())}.</p>"
        for point in points
    )
    return f"<h2>False alarms where nothing lies</h2>{chosen}{curves}"


def _curve(ground: EmptyGround) -> str:
    """Alarms per km2 against the threshold."""
    left, right, top, bottom = MARGIN_PX + 8, WIDTH_PX - 8, 12, HEIGHT_PX - 24
    scores = sorted(ground.scores)
    most = max(len(scores) / ground.area_km2, 1e-9)

    def place(threshold: float, alarms: int) -> str:
        across = left + (threshold - ground.least_score) / (1 - ground.least_score) * (right - left)
        return f"{across:.1f},{bottom - alarms / ground.area_km2 / most * (bottom - top):.1f}"

    steps = [place(ground.least_score, len(scores))]
    for passed, score in enumerate(scores, 1):
        steps += [place(score, len(scores) - passed + 1), place(score, len(scores) - passed)]
    steps.append(place(1.0, 0))
    text = 'font-size="11" fill="currentColor"'
    bound = "" if ground.labelled else " Unlabelled: an upper bound, some alarms may be true."
    return (
        f"<p><small>{html.escape(ground.name)}: {ground.area_km2:.3g} km²,"
        f" {len(scores)} contacts of at least {ground.least_score:g}.{bound}</small></p>"
        f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img" aria-label="Alarms per km² against confidence">'
        f'<path d="M{left} {top}V{bottom}H{right}" stroke="var(--line)" fill="none"/>'
        f'<polyline points="{" ".join(steps)}" fill="none" stroke="var(--mark)" stroke-width="1.5"/>'
        f'<text x="{left - 6}" y="{top + 8}" text-anchor="end" {text}>{_in_digits(most)}</text>'
        f'<text x="{left - 6}" y="{bottom}" text-anchor="end" {text}>0</text>'
        f'<text x="{left}" y="{bottom + 14}" {text}>{ground.least_score:g}</text>'
        f'<text x="{right - 8}" y="{bottom + 14}" {text}>1</text>'
        f'<text x="{(left + right) / 2 - 60}" y="{bottom + 18}" {text}>alarms per km² over confidence</text></svg>'
    )


def _in_digits(figure: float) -> str:
    """Three digits, and never as a power of ten."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"


def evaluation_dict(
    scores: Scores | None, grounds: Sequence[EmptyGround], points: Sequence[FalseAlarmPoint]
) -> dict[str, Any]:
    """The same for another program."""
    found: dict[str, Any] = {} if scores is None else scores.as_dict()
    if grounds:
        found["false_alarms"] = {
            "chosen": [point.as_dict() for point in points],
            "grounds": [ground.as_dict() for ground in grounds],
        }
    return found
