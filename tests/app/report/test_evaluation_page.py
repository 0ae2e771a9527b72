"""The page of an evaluation: every figure, pictures inside, nothing from outside unescaped."""

import json
from dataclasses import replace
from html.parser import HTMLParser

from app.evaluation.false_alarms import EmptyGround
from app.evaluation.score import score_detections
from app.report.evaluation_page import evaluation_dict, evaluation_page
from tests.app.evaluation.test_bands import PLACE
from tests.app.evaluation.test_score import BOX_A, BOX_B, ELSEWHERE, found, tile, tile_set

GROUND = EmptyGround(
    name="<lines> & more", area_km2=0.5, scores=(0.2, 0.3, 0.7), least_score=0.1, labelled=False
)


class Tags(HTMLParser):
    """Counts what opens."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def test_page_shows_curve_tables_and_alarms() -> None:
    tiles = tile_set(replace(tile(BOX_A, BOX_B), geometry=PLACE), classes=("<b>target",))
    scores = score_detections(tiles, [found((BOX_A, 0.9), (ELSEWHERE, 0.85), (BOX_B, 0.35))])
    points = [GROUND.operating_point(2.0)]
    page = evaluation_page(model="a & b", what="all 1 tiles", scores=scores, grounds=[GROUND], points=points)
    tags = Tags()
    tags.feed(page)
    assert tags.seen.count("svg") == 2
    assert tags.seen.count("circle") == 2
    assert "script" not in tags.seen
    for text in ("calibration error 0.4", "15 to 30 m", "2 to 5 m", "&lt;b&gt;target", "a &amp; b"):
        assert text in page, text
    assert "too little ground for 2 per km2" in page
    assert "unlabelled: an upper bound" in page
    assert "<lines>" not in page
    told = evaluation_dict(scores, [GROUND], points)
    json.dumps(told, allow_nan=False)
    assert told["false_alarms"]["chosen"][0]["alarms"] == 1


def test_thousands_of_alarms_are_told_in_digits_left_of_the_axis() -> None:
    many = replace(GROUND, scores=tuple(0.2 + 0.0001 * n for n in range(1562)), area_km2=0.305)
    page = evaluation_page(model="m", what="", scores=None, grounds=[many], points=[])
    assert 'text-anchor="end" font-size="11" fill="currentColor">5,121</text>' in page
    assert "e+" not in page


def test_page_without_tiles_or_without_places() -> None:
    alone = evaluation_page(model="m", what="", scores=None, grounds=[GROUND], points=[])
    assert "AP50" not in alone
    scores = score_detections(tile_set(tile(BOX_A)), [found()])
    page = evaluation_page(model="m", what="w", scores=scores)
    assert "No detection is confident enough" in page
    assert "Nobody knows how large a pixel" in page
