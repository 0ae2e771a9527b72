"""The page: complete, bounded, and safe against whatever files are called."""

import re

import numpy as np
import pytest

from app.report.html import MOST_CARDS, html_text
from app.report.pictures import thumbnails, waterfalls
from app.survey.result import FileReport
from tests.app.report.made_survey import made_contact, made_file, made_result, speckle

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>.xtf'


def test_page_shows_the_contact_its_file_and_the_settings() -> None:
    page = html_text(made_result())
    for text in ("C0001", "line-1.xtf", "48°26.741′N", "455 kHz", "min_score", "test model", "No defects"):
        assert text in page


def test_page_fetches_nothing_from_outside() -> None:
    page = html_text(made_result())
    addresses = re.findall(r"""(?:src|href|action|data)=["']([^"']+)|url\(([^)]+)""", page)
    assert addresses
    assert all("".join(address).startswith(("data:", "#")) for address in addresses)
    assert "http://" not in page
    assert "https://" not in page


def test_hostile_names_are_text() -> None:
    page = html_text(
        made_result(
            contacts=(made_contact(source=HOSTILE, label="<b>label</b>"),),
            files=(
                made_file(HOSTILE, warnings=("<i>w</i>",), defects=((7, "<u>d</u>"),)),
                FileReport(source=HOSTILE, path=HOSTILE, error="<s>e</s>"),
            ),
        )
    )
    assert "alert(1)" in page
    for markup in ("<script>alert", "<img src=x", "<b>label", "<i>w", "<u>d", "<s>e"):
        assert markup not in page


def test_defects_warnings_and_errors_are_named() -> None:
    bad = FileReport(source="bad.xtf", path="bad.xtf", error="bad.xtf is empty; record it again")
    defects = tuple((n, f"defect {n}") for n in range(60))
    page = html_text(made_result(files=(made_file(defects=defects, warnings=("heading is missing",)), bad)))
    assert "bad.xtf is empty; record it again" in page
    assert "60 damaged places" in page
    assert "and 10 more" in page
    assert "byte 1</code>" in page
    assert "heading is missing" in page
    assert "60 damaged places were skipped, what was there is not searched: defect 0 (byte 0), first" in page


def test_a_survey_without_contacts_or_positions_has_a_page() -> None:
    page = html_text(made_result(contacts=(), files=(made_file(track=None, area_km2=None, preview=None),)))
    assert "No contact reached" in page
    assert "No map" in page


def test_unknown_values_are_dashes_not_zeros() -> None:
    page = html_text(made_result(contacts=(made_contact(height_m=None, along_m=None, time_s=None),)))
    assert page.count('class="unknown"') >= 4


def test_box_in_the_waterfall_lies_where_the_contact_is() -> None:
    page = html_text(made_result())
    rect = re.search(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"><title>', page)
    assert rect is not None
    # Two pings are a row, 0.4 m a column, starboard begins at 125: pings 490-510, ground range 20.5-25 m.
    assert [float(v) for v in rect.groups()] == pytest.approx([245.0, 176.2, 10.5, 11.2], abs=0.11)


def test_pictures_keep_to_their_budget_best_scores_first() -> None:
    contacts = tuple(made_contact(n, score=n / 100) for n in range(1, 30))
    pictures = thumbnails(contacts, budget_bytes=60_000)
    assert 2 <= len(pictures) < 29
    assert sum(map(len, pictures.values())) <= 60_000
    assert set(pictures) == {f"C{n:04d}" for n in range(30 - len(pictures), 30)}


def test_waterfalls_shrink_until_they_fit() -> None:
    (picture,) = waterfalls(made_result(), budget_bytes=20_000)
    assert picture is not None
    assert len(picture.address) <= 20_000
    assert (picture.width_px, picture.height_px) == (500, 250)


def test_page_of_many_contacts_is_bounded_and_says_so() -> None:
    contacts = tuple(made_contact(n, thumbnail=speckle(8, 8, seed=0)) for n in range(MOST_CARDS + 5))
    page = html_text(made_result(contacts=contacts))
    assert page.count('<li class="card"') == MOST_CARDS
    assert "5 more with lower scores" in page


def test_thumbnail_of_one_pixel_is_drawn() -> None:
    contact = made_contact(thumbnail=np.zeros((1, 1), np.uint8), thumbnail_box_xyxy_px=(0, 0, 1, 1))
    assert thumbnails((contact,))["C0001"].startswith("data:image/webp")
