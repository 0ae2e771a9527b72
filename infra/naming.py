"""Names, tags, stamp and lease. Pure; each cloud's rules stand in one table."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TAG_PREFIX = "sonarstack"
STAMP_TAG, LEASE_TAG = "stamp", "lease-until"


@dataclass(frozen=True, kw_only=True, slots=True)
class NameRule:
    """What a cloud takes as a name."""

    length: int
    """Characters at most."""
    letters: str
    """Of a character class."""
    separator: str = "-"
    """Between parts, and in the place of what is not allowed."""
    source: str


RULES = {
    "docker": NameRule(
        length=63, letters="a-z0-9_.-", source="docker: [a-zA-Z0-9][a-zA-Z0-9_.-]+; a DNS label in networks"
    ),
    "runpod": NameRule(
        length=60, letters="A-Za-z0-9-", source="cloud facts 1.3: names up to 60 characters work (2026-11)"
    ),
    "aws": NameRule(
        length=63, letters="a-z0-9-", source="S3 bucket naming rules, the strictest of those used"
    ),
    "azure": NameRule(
        length=24,
        letters="a-z0-9",
        separator="",
        source="storage account naming rules, the strictest of those used",
    ),
    "gcp": NameRule(length=63, letters="a-z0-9-", source="RFC 1035 labels, as Compute Engine has them"),
    "ssh": NameRule(length=100, letters="A-Za-z0-9_.-", source="a folder's name on any POSIX file system"),
}
DIGEST_LETTERS = 6


def stamp(project: str, stack: str) -> str:
    """The mark that says a thing is ours: the same for the same stack, another for any other."""
    digest = hashlib.sha256(f"{project}/{stack}".encode()).hexdigest()[:DIGEST_LETTERS]
    words = (_legal(project, RULES["gcp"])[:20].strip("-"), _legal(stack, RULES["gcp"])[:24].strip("-"))
    return "-".join([*(word or "x" for word in words), digest])


def resource_name(cloud: str, *parts: str) -> str:
    """Parts joined to a name the cloud takes; what had to be changed or cut adds a digest, so that no two collide.

    Raises:
        ValueError: no such cloud, or nothing to name.
    """
    rule = RULES.get(cloud)
    if rule is None:
        raise ValueError(f"cloud={cloud!r} is unknown; known are {', '.join(RULES)}")
    if not any(parts):
        raise ValueError("a name needs at least one part that is not empty")
    separator = rule.separator
    wanted = separator.join(parts)
    name = _legal(wanted, rule)
    # Without a separator ("ab","c") and ("a","bc") would be one name.
    if name == wanted and len(name) <= rule.length and (separator or len(parts) == 1) and _begins_well(name):
        return name
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:DIGEST_LETTERS]
    kept = _legal(wanted, rule)[: rule.length - len(digest) - 1 - len(separator)]
    kept = kept.strip("-_.")
    return f"x{digest}" if not kept else f"{kept if _begins_well(kept) else 'x' + kept}{separator}{digest}"


def tags(
    cloud: str, *, stamp: str, lease_until: datetime | None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Stamp, lease and further tags, with the keys and values the cloud takes.

    Raises:
        ValueError: no such cloud.
    """
    if cloud not in RULES:
        raise ValueError(f"cloud={cloud!r} is unknown; known are {', '.join(RULES)}")
    values = {STAMP_TAG: stamp, **(extra or {})}
    if lease_until is not None:
        values[LEASE_TAG] = lease_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {_tag_key(cloud, key): _tag_value(cloud, value) for key, value in values.items()}


def lease_until(start: datetime, max_hours: float) -> datetime:
    """When a machine rented at `start` must be gone."""
    return start + timedelta(hours=max_hours)


def _legal(text: str, rule: NameRule) -> str:
    lowered = text if "A-Z" in rule.letters else text.lower()
    return re.sub(r"-{2,}", "-", re.sub(f"[^{rule.letters}]", rule.separator, lowered))


def _begins_well(name: str) -> bool:
    return bool(re.match(r"[A-Za-z]", name)) and bool(re.search(r"[A-Za-z0-9]$", name))


def _tag_key(cloud: str, key: str) -> str:
    # Docker labels are reverse domain names; GCP labels have no colons, dots or capitals; AWS and Azure take both.
    if cloud == "docker":
        return f"org.{TAG_PREFIX}.{key}"
    return f"{TAG_PREFIX}-{key}" if cloud in ("gcp", "runpod", "ssh") else f"{TAG_PREFIX}:{key}"


def _tag_value(cloud: str, value: str) -> str:
    if cloud == "gcp":
        return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63]
    return re.sub(r"[^\w .:/=+@-]", "-", value, flags=re.ASCII)[:255]
