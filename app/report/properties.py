"""What every file format says about a contact: one list of names, units in the names, in one order."""

from datetime import UTC, datetime

from app.survey.contact import Contact

Value = str | int | float | None


def contact_properties(contact: Contact) -> dict[str, Value]:
    """Everything but the position, rounded to what the measurement can mean."""
    return {
        "identifier": contact.identifier,
        "label": contact.label,
        "score": round(contact.score, 4),
        "source": contact.source,
        "side": str(contact.side),
        "time_utc": utc_text(contact.time_s),
        "along_m": _rounded(contact.along_m, 2),
        "across_m": _rounded(contact.across_m, 2),
        "height_m": _rounded(contact.height_m, 2),
        "ground_range_m": _rounded(contact.ground_range_m, 2),
        "slant_range_m": _rounded(contact.slant_range_m, 2),
        "altitude_m": _rounded(contact.altitude_m, 2),
        "ping": contact.ping,
        "first_ping": contact.ping_range[0],
        "last_ping": contact.ping_range[1],
        "first_sample": contact.sample_range[0],
        "last_sample": contact.sample_range[1],
        "grid_x_m": _rounded(contact.grid_x_m, 2),
        "grid_y_m": _rounded(contact.grid_y_m, 2),
    }


def position_deg(contact: Contact) -> tuple[float, float] | None:
    """Longitude and latitude to 7 decimals, about a centimetre; None where unknown."""
    if contact.longitude is None or contact.latitude is None:
        return None
    return round(contact.longitude, 7), round(contact.latitude, 7)


def utc_text(time_s: float | None) -> str | None:
    """ISO 8601 in UTC to the hundredth of a second; None for an unset or impossible time."""
    if time_s is None:
        return None
    try:
        moment = datetime.fromtimestamp(time_s, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 10_000:02d}Z"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
