"""Pd and false alarms against a small survey whose answer is plain."""

import json
import math

import pytest

from app.evaluation.pd_far import Position, ScoredPosition, distances_m, pd_against_false_alarms

METRES_PER_DEGREE_LATITUDE = 111_412.0  # at 55 degrees north on WGS 84
TARGETS = [Position(longitude=10.0, latitude=55.0), Position(longitude=10.01, latitude=55.0)]


def contact(score: float, *, east_of: Position = TARGETS[0], north_m: float = 0.0) -> ScoredPosition:
    latitude = east_of.latitude + north_m / METRES_PER_DEGREE_LATITUDE
    return ScoredPosition(longitude=east_of.longitude, latitude=latitude, score=score)


def test_curve_counts_targets_once_and_false_alarms_by_area() -> None:
    contacts = [
        contact(0.9, north_m=3),
        contact(0.8, north_m=500),
        contact(0.7, north_m=-5),  # the first target again, from another line
        contact(0.6, east_of=TARGETS[1], north_m=9),
        contact(0.5, north_m=12),
    ]
    result = pd_against_false_alarms(contacts, TARGETS, area_km2=0.5, radius_m=10)
    assert [(p.threshold, p.pd, p.false_alarms_per_km2) for p in result.curve] == [
        (0.9, 0.5, 0.0),
        (0.8, 0.5, 2.0),
        (0.7, 0.5, 2.0),
        (0.6, 1.0, 2.0),
        (0.5, 1.0, 4.0),
    ]
    assert (result.pd_at(0), result.pd_at(2), result.pd_at(1.9)) == (0.5, 1.0, 0.5)
    assert (result.at_threshold(0.65).found, result.at_threshold(0.65).false_alarms) == (1, 1)
    assert result.at_threshold(0.95).pd == 0


def test_order_of_the_contacts_does_not_matter() -> None:
    contacts = [contact(0.2 + 0.1 * i, north_m=7.0 * i) for i in range(5)]
    one = pd_against_false_alarms(contacts, TARGETS, area_km2=1)
    assert one == pd_against_false_alarms(contacts[::-1], TARGETS, area_km2=1)


def test_contacts_of_equal_confidence_are_one_point() -> None:
    result = pd_against_false_alarms([contact(0.5), contact(0.5, north_m=900)], TARGETS, area_km2=1)
    assert [(p.found, p.false_alarms) for p in result.curve] == [(1, 1)]


def test_contact_between_two_targets_finds_the_nearer() -> None:
    near = [Position(longitude=10.0, latitude=55.0), contact(0, north_m=12)]
    result = pd_against_false_alarms(
        [contact(0.9, north_m=8), contact(0.8, north_m=7)], near, area_km2=1, radius_m=10
    )
    assert [p.found for p in result.curve] == [1, 1]
    assert result.curve[-1].false_alarms == 0


@pytest.mark.parametrize(("contacts", "targets"), [([], TARGETS), ([contact(0.5)], []), ([], [])])
def test_no_contacts_or_no_targets(contacts: list[ScoredPosition], targets: list[Position]) -> None:
    result = pd_against_false_alarms(contacts, targets, area_km2=2)
    assert result.pd_at(1e9) == 0
    assert [p.false_alarms_per_km2 for p in result.curve] == [0.5] * len(contacts)
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.parametrize("area", [0, -1, math.nan])
def test_area_must_be_positive(area: float) -> None:
    with pytest.raises(ValueError, match="must be positive; give the ground that the survey covered"):
        pd_against_false_alarms([], [], area_km2=area)


def test_distances_are_those_of_the_ellipsoid() -> None:
    # One degree of longitude at 60 north is 55.80 km on WGS 84, one of latitude from 60 to 61 111.42 km.
    here = Position(longitude=5.0, latitude=60.0)
    there = [Position(longitude=6.0, latitude=60.0), Position(longitude=5.0, latitude=61.0)]
    assert distances_m([here], there)[0] == pytest.approx([55_800, 111_420], abs=15)
    assert distances_m([here, there[0]], [here]).shape == (2, 1)


def test_across_the_antimeridian_is_near() -> None:
    west, east = Position(longitude=179.9999, latitude=0.0), Position(longitude=-179.9999, latitude=0.0)
    assert distances_m([west], [east])[0, 0] == pytest.approx(22.26, abs=0.1)
