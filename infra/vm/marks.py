"""Stamp and lease as tags, read back from what a cloud lists. Pure; AWS and Azure take the same keys."""

from collections.abc import Mapping
from datetime import datetime

from infra.naming import LEASE_TAG, STAMP_TAG, TAG_PREFIX

STAMP, LEASE = f"{TAG_PREFIX}:{STAMP_TAG}", f"{TAG_PREFIX}:{LEASE_TAG}"


def is_ours(tags: Mapping[str, str], stamp: str | None) -> bool:
    """Whether something carries our mark; of one stack, if a stamp is given."""
    return STAMP in tags and stamp in (None, tags[STAMP])


def lease_of(tags: Mapping[str, str]) -> datetime | None:
    """Until when it may live; None where the tag is missing or tells no time."""
    text = tags.get(LEASE)
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
