"""Names are legal on their cloud, and never the same for different things."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.naming import RULES, lease_until, resource_name, stamp, tags

CLOUD = st.sampled_from(sorted(RULES))
PARTS = st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=3)


@given(cloud=CLOUD, parts=PARTS)
def test_a_name_is_legal(cloud, parts) -> None:
    name, rule = resource_name(cloud, *parts), RULES[cloud]
    assert re.fullmatch(f"[A-Za-z]([{rule.letters}]*[A-Za-z0-9])?", name)
    assert len(name) <= rule.length


@given(cloud=CLOUD, one=PARTS, other=PARTS)
def test_other_parts_make_another_name(cloud, one, other) -> None:
    separator = RULES[cloud].separator
    if separator.join(one) != separator.join(other):
        assert resource_name(cloud, *one) != resource_name(cloud, *other)


@given(project=st.text(min_size=1), stack=st.text(), other=st.text())
def test_a_stamp_is_a_legal_name_everywhere_but_for_its_length(project, stack, other) -> None:
    mark = stamp(project, stack)
    assert re.fullmatch(r"[a-z0-9-]{1,60}", mark)
    assert mark == stamp(project, stack)
    if other != stack:
        assert mark != stamp(project, other)


def test_what_is_legal_stays_as_it_is() -> None:
    assert (
        resource_name("docker", "sonarstack-local-1a2b3c", "training") == "sonarstack-local-1a2b3c-training"
    )


@given(cloud=CLOUD, value=st.text(max_size=400))
def test_tags_are_legal(cloud, value) -> None:
    made = tags(cloud, stamp="s", lease_until=datetime(2026, 11, 23, tzinfo=UTC), extra={"note": value})
    assert len(made) == 3
    for key, text in made.items():
        assert len(key) <= 63
        assert len(text) <= 255
        if cloud == "gcp":
            assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key)
            assert re.fullmatch(r"[a-z0-9_-]{0,63}", text)


def test_a_lease_is_told_in_universal_time() -> None:
    start = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=2)))
    made = tags("aws", stamp="s", lease_until=lease_until(start, 1.5))
    assert made == {"sonarstack:stamp": "s", "sonarstack:lease-until": "2026-11-23T11:30:00Z"}


@pytest.mark.parametrize(
    ("cloud", "parts", "message"),
    [("moon", ("a",), "known are docker"), ("aws", ("", ""), "at least one part")],
)
def test_what_cannot_be_named(cloud, parts, message) -> None:
    with pytest.raises(ValueError, match=message):
        resource_name(cloud, *parts)
