"""One object, one box: detections of overlapping tiles, of successive blocks and of both scales are merged.

Order of trust: a box that is whole in its tile before one that is cut at the tile's edge, then the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.survey.boxes import SeabedBox, contained, intersection, iou

SAME_OBJECT_IOU = 0.4
"""Boxes of one label that overlap so far show one object."""
SAME_PLACE_IOU = 0.6
"""Boxes of different labels that overlap so far show one object, named by the better score."""
FRAGMENT_SHARE = 0.7
"""A box that lies so far inside another of its label is a part of it."""
WHOLE_OBJECT_SCORE = 0.6
"""The larger of two nested boxes gives the outline if it has this share of the smaller one's score."""
CUT_TRUST = 0.5
"""What a score counts in the order of trust when the tile's edge cuts the box."""
SEAM_SHARE = 0.4
"""Two boxes cut at facing edges are one object if they share this much of their extent along the seam."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """One object and the detections that showed it."""

    box: SeabedBox
    members: tuple[SeabedBox, ...]

    @property
    def end_ping(self) -> float:
        """Last ping that any member touches."""
        return max(member.end_ping for member in self.members)


def merge_boxes(boxes: Sequence[SeabedBox]) -> list[Merged]:
    """Merge detections of one file into objects; the order of the boxes given does not matter."""
    clusters: list[Merged] = []
    for box in sorted(boxes, key=_trust, reverse=True):
        _insert(clusters, Merged(box=box, members=(box,)))
    return [Merged(box=_fused(cluster), members=cluster.members) for cluster in clusters]


def _trust(box: SeabedBox) -> tuple[float, float, float, float, float]:
    trust = box.score * (CUT_TRUST if box.cut else 1.0)
    return trust, box.area, -box.start_ping, -box.near_m, -box.label


def _insert(clusters: list[Merged], new: Merged) -> None:
    """Join `new` with every cluster that shows the same object; a union may reach further clusters."""
    index = 0
    while index < len(clusters):
        outline = _joined(clusters[index].box, new.box)
        if outline is None:
            index += 1
            continue
        old = clusters.pop(index)
        new = Merged(box=outline, members=old.members + new.members)
        index = 0
    clusters.append(new)


def _joined(a: SeabedBox, b: SeabedBox) -> SeabedBox | None:
    """Outline of the object that both boxes show, None if they show two."""
    if a.side is not b.side or intersection(a, b) <= 0:
        return None
    best, other = (a, b) if _trust(a) >= _trust(b) else (b, a)
    if a.label != b.label:
        return best if iou(a, b) >= SAME_PLACE_IOU else None
    if _facing_cuts(a, b):
        return a.union(b)
    overlap = iou(a, b)
    if overlap < SAME_OBJECT_IOU and contained(a, b) < FRAGMENT_SHARE:
        return None
    larger, smaller = (a, b) if a.area >= b.area else (b, a)
    nested = overlap < SAME_OBJECT_IOU
    if nested and not larger.cut and larger.score >= WHOLE_OBJECT_SCORE * smaller.score:
        best, other = larger, smaller
    elif best.cut and other.cut:
        return best.union(other)
    return replace(best, score=max(a.score, b.score))


def _facing_cuts(a: SeabedBox, b: SeabedBox) -> bool:
    """Whether one box ends at its tile's end and the other, of the next tile, begins where that begins."""
    first, second = (a, b) if a.start_ping <= b.start_ping else (b, a)
    if first.cut_end and second.cut_start:
        return _share(a.near_m, a.far_m, b.near_m, b.far_m) >= SEAM_SHARE
    near, far = (a, b) if a.near_m <= b.near_m else (b, a)
    if near.cut_far and far.cut_near:
        return _share(a.start_ping, a.end_ping, b.start_ping, b.end_ping) >= SEAM_SHARE
    return False


def _share(a_start: float, a_end: float, b_start: float, b_end: float) -> float:
    """Intersection over union of two intervals."""
    common = min(a_end, b_end) - max(a_start, b_start)
    return max(0.0, common) / max(1e-9, max(a_end, b_end) - min(a_start, b_start))


def _fused(cluster: Merged) -> SeabedBox:
    """The outline, its edges averaged by score over the whole boxes that agree with it."""
    outline = cluster.box
    agreeing = [
        m
        for m in cluster.members
        if m.label == outline.label and m.cut == outline.cut and iou(m, outline) >= SAME_PLACE_IOU
    ]
    weight = sum(m.score for m in agreeing)
    if len(agreeing) < 2 or weight <= 0 or outline.cut:
        return outline
    return replace(
        outline,
        start_ping=sum(m.start_ping * m.score for m in agreeing) / weight,
        end_ping=sum(m.end_ping * m.score for m in agreeing) / weight,
        near_m=sum(m.near_m * m.score for m in agreeing) / weight,
        far_m=sum(m.far_m * m.score for m in agreeing) / weight,
    )
