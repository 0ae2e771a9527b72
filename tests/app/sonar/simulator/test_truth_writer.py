"""What is written of the truth: one point an object, one box a sighting."""

import json
from dataclasses import replace
from pathlib import Path

from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.shape import SHIP, TARGET
from app.sonar.simulator.truth import Truth
from app.sonar.simulator.truth_writer import write_truth_coco, write_truth_geojson
from app.sonar.waterfall import Side

PLAN = SurveyPlan(lines=2, pings=500, samples=256)
WRECK = Truth(
    number=3, label=SHIP, source="line-00.xtf", side=Side.PORT, ping=140, ping_range=(100, 180),
    sample_range=(60, 90), shadow_end_sample=130, slant_range_m=31.0, ground_range_m=30.0,
    longitude=10.9, latitude=54.4, height_m=2.5, length_m=20.0, width_m=5.0, heading_deg=12.0,
)  # fmt: skip
FROM_NEARER = replace(
    WRECK, source="line-01.xtf", side=Side.STARBOARD, ping=360, ping_range=(320, 400), ground_range_m=12.0
)
CONE = replace(
    WRECK, number=1, label=TARGET, ping=20, ping_range=(18, 22), sample_range=(40, 40), latitude=54.41
)


def test_geojson_has_one_point_an_object_with_its_nearest_look(tmp_path: Path) -> None:
    write_truth_geojson(tmp_path / "truth.geojson", [WRECK, CONE, FROM_NEARER])
    features = json.loads((tmp_path / "truth.geojson").read_text())["features"]
    assert [feature["id"] for feature in features] == [1, 3]
    cone, wreck = (feature["properties"] for feature in features)
    assert features[0]["geometry"] == {"type": "Point", "coordinates": [10.9, 54.41]}
    assert (cone["label"], cone["line"], cone["side"], cone["ping"]) == (TARGET, "line-00.xtf", "port", 20)
    assert (wreck["label"], wreck["line"], wreck["side"], wreck["ping"]) == (
        SHIP,
        "line-01.xtf",
        "starboard",
        360,
    )
    assert wreck["seen_by"] == ["line-00.xtf", "line-01.xtf"]
    assert (wreck["length_m"], wreck["width_m"], wreck["height_m"]) == (20.0, 5.0, 2.5)


def test_coco_boxes_are_inclusive_ranges_on_the_right_side_of_the_right_line(tmp_path: Path) -> None:
    write_truth_coco(tmp_path / "truth.json", PLAN, [WRECK, FROM_NEARER, CONE])
    coco = json.loads((tmp_path / "truth.json").read_text())
    images = {image["id"]: image for image in coco["images"]}
    assert {(image["width"], image["height"]) for image in images.values()} == {(256, 500)}
    assert len(images) == 4
    names = {category["id"]: category["name"] for category in coco["categories"]}
    found = [
        (
            images[a["image_id"]]["file_name"],
            images[a["image_id"]]["side"],
            names[a["category_id"]],
            a["bbox"],
        )
        for a in coco["annotations"]
    ]
    assert found == [
        ("line-00.xtf", "port", SHIP, [60, 100, 31, 81]),
        ("line-01.xtf", "starboard", SHIP, [60, 320, 31, 81]),
        ("line-00.xtf", "port", TARGET, [40, 18, 1, 5]),
    ]
    assert [a["area"] for a in coco["annotations"]] == [31 * 81, 31 * 81, 5]


def test_no_sighting_is_no_feature(tmp_path: Path) -> None:
    write_truth_geojson(tmp_path / "truth.geojson", [])
    assert json.loads((tmp_path / "truth.geojson").read_text())["features"] == []
    write_truth_coco(tmp_path / "truth.json", PLAN, [])
    assert json.loads((tmp_path / "truth.json").read_text())["annotations"] == []
