"""What was laid and what each line saw, as COCO and as GeoJSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.shape import CLASS_NAMES
from app.sonar.simulator.truth import Truth
from app.sonar.waterfall import Side
from app.storage import write_json


def write_truth_coco(path: Path, plan: SurveyPlan, truth: Sequence[Truth]) -> None:
    """COCO detection: an image is one side of one line, x raw slant sample (0 nearest), y ping.

    `file_name` is the XTF file and `side` says which half of it. Boxes are left, top, width, height.
    """
    places = [(plan.line_name(line), side) for line in range(plan.lines) for side in Side]
    images = [
        {"id": number, "file_name": name, "side": str(side), "width": plan.samples, "height": plan.pings}
        for number, (name, side) in enumerate(places, 1)
    ]
    numbers = {place: number for number, place in enumerate(places, 1)}
    annotations = [
        _annotation(one, number, numbers[one.source, one.side]) for number, one in enumerate(truth, 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASS_NAMES, 1)]
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})


def _annotation(truth: Truth, number: int, image: int) -> dict[str, Any]:
    left, top = truth.sample_range[0], truth.ping_range[0]
    width, height = truth.sample_range[1] - left + 1, truth.ping_range[1] - top + 1
    return {
        "id": number,
        "image_id": image,
        "category_id": CLASS_NAMES.index(truth.label) + 1,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "object": truth.number,
    }


def write_truth_geojson(path: Path, truth: Sequence[Truth]) -> None:
    """GeoJSON (RFC 7946), one point for each object that at least one line lit.

    Properties: label, size, the lines that saw it, and line, side and ping of the look from nearest by.
    """
    seen: dict[int, list[Truth]] = {}
    for one in truth:
        seen.setdefault(one.number, []).append(one)
    features = [_feature(sightings) for _, sightings in sorted(seen.items())]
    write_json(path, {"type": "FeatureCollection", "features": features})


def _feature(sightings: Sequence[Truth]) -> dict[str, Any]:
    nearest = min(sightings, key=lambda one: one.ground_range_m)
    return {
        "type": "Feature",
        "id": nearest.number,
        "geometry": {
            "type": "Point",
            "coordinates": [round(nearest.longitude, 8), round(nearest.latitude, 8)],
        },
        "properties": {
            "label": nearest.label,
            "length_m": round(nearest.length_m, 2),
            "width_m": round(nearest.width_m, 2),
            "height_m": round(nearest.height_m, 2),
            "heading_deg": round(nearest.heading_deg, 1),
            "line": nearest.source,
            "side": str(nearest.side),
            "ping": nearest.ping,
            "seen_by": sorted({one.source for one in sightings}),
        },
    }
