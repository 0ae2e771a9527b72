"""A box on the seabed in units that no tile and no scale changes: ping numbers, metres of ground range."""

from dataclasses import dataclass, replace

from app.sonar.waterfall import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class SeabedBox:
    """One detection of one tile."""

    side: Side
    label: int
    """Index into the model's class names."""
    score: float
    start_ping: float
    """Along-track edges in ping numbers; ping p covers p - .5 to p + .5."""
    end_ping: float
    near_m: float
    """Across-track edges in ground range."""
    far_m: float
    cut_start: bool = False
    """The box touches the edge of its tile, and the recording goes on beyond: the object may be larger."""
    cut_end: bool = False
    cut_near: bool = False
    cut_far: bool = False
    coarse: bool = False
    """Found by the pass at reduced scale."""

    @property
    def cut(self) -> bool:
        """Whether the object may reach beyond the tile it was found in."""
        return self.cut_start or self.cut_end or self.cut_near or self.cut_far

    @property
    def area(self) -> float:
        """Extent in pings x metres, for comparing boxes with each other."""
        return (self.end_ping - self.start_ping) * (self.far_m - self.near_m)

    def union(self, other: "SeabedBox") -> "SeabedBox":
        """The smallest box around both, cut only where the outer one of the two is cut; the better score."""
        return replace(
            self if self.score >= other.score else other,
            start_ping=min(self.start_ping, other.start_ping),
            end_ping=max(self.end_ping, other.end_ping),
            near_m=min(self.near_m, other.near_m),
            far_m=max(self.far_m, other.far_m),
            cut_start=(self if self.start_ping <= other.start_ping else other).cut_start,
            cut_end=(self if self.end_ping >= other.end_ping else other).cut_end,
            cut_near=(self if self.near_m <= other.near_m else other).cut_near,
            cut_far=(self if self.far_m >= other.far_m else other).cut_far,
            coarse=self.coarse and other.coarse,
        )


def intersection(a: SeabedBox, b: SeabedBox) -> float:
    """Common area of two boxes of one side, in pings x metres; 0 where they do not touch."""
    along = min(a.end_ping, b.end_ping) - max(a.start_ping, b.start_ping)
    across = min(a.far_m, b.far_m) - max(a.near_m, b.near_m)
    return along * across if along > 0 and across > 0 else 0.0


def iou(a: SeabedBox, b: SeabedBox) -> float:
    """Intersection over union of two boxes of one side, 0 to 1."""
    common = intersection(a, b)
    union = a.area + b.area - common
    return common / union if union > 0 else 0.0


def contained(a: SeabedBox, b: SeabedBox) -> float:
    """Share of the smaller box that lies inside the larger one, 0 to 1."""
    smaller = min(a.area, b.area)
    return intersection(a, b) / smaller if smaller > 0 else 0.0
