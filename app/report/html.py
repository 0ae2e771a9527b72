"""The report: one HTML page that needs nothing but itself.

Everything that comes from outside (file names, class names, defects) is escaped by jinja2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import numpy as np

from app.report.pictures import WaterfallPicture, thumbnails, waterfalls
from app.report.projection import degrees_text, nice_step
from app.report.properties import position_deg, utc_text
from app.report.survey_map import survey_maps
from app.sonar.waterfall import Side
from app.survey.contact import Contact
from app.survey.result import FileReport, Preview, SurveyResult

MOST_CARDS = 1000
"""Contacts with a card and a row of their own, best scores first; the files beside the page hold all."""
MOST_DEFECTS = 50
"""Damaged places listed per file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A contact as the page shows it."""

    contact: Contact
    picture: str | None
    hue: int
    """Number of the class, for its colour."""
    latitude_text: str
    longitude_text: str
    copy_text: str
    """What the copy button puts on the clipboard."""
    time_text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WaterfallBox:
    """A contact's box in a waterfall picture, in the picture's own pixels before it was made smaller."""

    contact: Contact
    hue: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PingTick:
    """A ping number written under the waterfall."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileView:
    """A file as the page shows it."""

    report: FileReport
    picture: WaterfallPicture | None
    boxes: tuple[WaterfallBox, ...]
    ticks: tuple[PingTick, ...]
    nadir: float
    start_text: str
    minutes: float | None
    rows: tuple[tuple[str, str], ...]
    """Label and value of what is known about the recording."""
    more_defects: int


def html_text(result: SurveyResult) -> str:
    """The page; its size is bounded by the budgets for pictures and by `MOST_CARDS`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hues = {label: number for number, label in enumerate(result.contacts_by_label())}
    shown = sorted(result.contacts, key=lambda c: (-c.score, c.identifier))[:MOST_CARDS]
    cards = _cards(shown, hues)
    return environment.get_template("page.html.j2").render(
        result=result,
        cards=cards,
        hues=hues,
        counts=result.contacts_by_label(),
        maps=survey_maps(result),
        files=_files(result, hues),
        settings=[(name, "automatic" if v is None else v) for name, v in result.options.as_dict().items()],
        created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        without_picture=sum(card.picture is None for card in cards),
        most_defects=MOST_DEFECTS,
        not_shown=len(result.contacts) - len(cards),
        unplaced=sum(position_deg(c) is None for c in result.contacts),
        warnings=sum(len(f.warnings) + (f.error is not None) for f in result.files),
        defects=sum(len(f.defects) for f in result.files),
    )


def _cards(contacts: Iterable[Contact], hues: dict[str, int]) -> list[Card]:
    chosen = tuple(contacts)
    pictures = thumbnails(chosen)
    return [_card(contact, pictures.get(contact.identifier), hues[contact.label]) for contact in chosen]


def _card(contact: Contact, picture: str | None, hue: int) -> Card:
    position = position_deg(contact)
    latitude = longitude = copied = ""
    if position is not None:
        longitude, latitude = degrees_text(position[0], "EW"), degrees_text(position[1], "NS")
        copied = f"{position[1]:.7f}, {position[0]:.7f}"
    elif contact.grid_x_m is not None and contact.grid_y_m is not None:
        longitude, latitude = f"{contact.grid_x_m:.1f} m E", f"{contact.grid_y_m:.1f} m N"
        copied = f"{contact.grid_x_m:.2f}, {contact.grid_y_m:.2f}"
    time = utc_text(contact.time_s)
    return Card(
        contact=contact,
        picture=picture,
        hue=hue,
        latitude_text=latitude,
        longitude_text=longitude,
        copy_text=copied,
        time_text="" if time is None else time.replace("T", " ").replace("Z", " UTC"),
    )


def _files(result: SurveyResult, hues: dict[str, int]) -> list[FileView]:
    return [
        _file(report, picture, [c for c in result.contacts if c.source == report.source], hues)
        for report, picture in zip(result.files, waterfalls(result), strict=True)
    ]


def _file(
    report: FileReport, picture: WaterfallPicture | None, contacts: list[Contact], hues: dict[str, int]
) -> FileView:
    preview = report.preview
    minutes = None
    if report.start_time_s is not None and report.end_time_s is not None:
        minutes = (report.end_time_s - report.start_time_s) / 60
    start = utc_text(report.start_time_s)
    return FileView(
        report=report,
        picture=picture,
        boxes=() if preview is None else tuple(_box(c, preview, hues[c.label]) for c in contacts),
        ticks=() if preview is None else _ping_ticks(preview),
        nadir=0.0 if preview is None else preview.nadir_px,
        start_text="" if start is None else start[:19].replace("T", " "),
        minutes=minutes,
        rows=tuple(_facts(report, minutes)),
        more_defects=max(0, len(report.defects) - MOST_DEFECTS),
    )


def _box(contact: Contact, preview: Preview, hue: int) -> WaterfallBox:
    rows = np.arange(len(preview.ping_edges))
    first, last = contact.ping_range
    start, end = np.interp([first - 0.5, last + 0.5], preview.ping_edges, rows)
    near, far = (edge_m / preview.pixel_m for edge_m in contact.box_ground_m)
    top, bottom = (near, far) if contact.side is Side.STARBOARD else (-far, -near)
    return WaterfallBox(
        contact=contact,
        hue=hue,
        x=round(float(start), 1),
        y=round(float(preview.nadir_px + top), 1),
        width=round(max(1.0, float(end - start)), 1),
        height=round(max(1.0, float(bottom - top)), 1),
    )


def _ping_ticks(preview: Preview) -> tuple[PingTick, ...]:
    first, last = float(preview.ping_edges[0]), float(preview.ping_edges[-1])
    step = max(1.0, nice_step(last - first, max(2, len(preview.image_HW) // 180)))
    rows = np.arange(len(preview.ping_edges))
    pings = np.arange(np.ceil(max(0.0, first) / step), np.floor(last / step) + 1) * step
    return tuple(
        PingTick(at=round(float(np.interp(ping, preview.ping_edges, rows)), 1), text=f"{ping:,.0f}")
        for ping in pings
    )


def _facts(report: FileReport, minutes: float | None) -> Iterable[tuple[str, str]]:
    yield "Pings", f"{report.pings:,}"
    if minutes is not None:
        yield "Duration", f"{minutes:.1f} min"
    if report.track is not None:
        yield "Line", f"{report.track.length_m / 1000:.2f} km"
    if report.area_km2 is not None:
        yield "Area", f"{report.area_km2:.3f} km²"
    if report.range_m is not None:
        yield "Slant range", f"{report.range_m:.1f} m"
    if report.frequency_khz is not None:
        yield "Frequency", f"{report.frequency_khz:g} kHz"
    if report.altitude_m is not None:
        source = {"file": "from the file", "data": "tracked in the data"}.get(report.altitude_source, "")
        yield "Altitude", f"{report.altitude_m:.1f} m {source}".strip()
    if report.ping_spacing_m is not None:
        yield "Ping spacing", f"{report.ping_spacing_m:.3f} m"
    if report.pixel_m is not None:
        yield "Pixel", f"{report.pixel_m:.3f} m"
    if report.pings and report.seconds:
        yield "Speed", f"{report.pings / report.seconds:,.0f} pings/s"
