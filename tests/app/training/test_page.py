"""The page of a training: what it says, and that it needs nothing from elsewhere."""

from html.parser import HTMLParser

from app.training.page import run_page

RECORD = {
    "config": {"name": "smoke <b>", "epochs": 2, "batch_size": 4, "size_px": 64, "seed": 0},
    "data": {"root": "tiles", "class_names": ["target"], "split": {"train": ["a", "b"], "val": ["c"]}},
    "device_plan": {"device": "cpu", "name": "a CPU", "dtype": "float32"},
}
LINES = [
    {"kind": "step", "step": 10, "loss": 9.0, "images_per_s": 20.0},
    {"kind": "step", "step": 20, "loss": 3.0, "images_per_s": 22.0},
    {"kind": "epoch", "epoch": 1, "step": 10, "ap50": 0.2, "ap50_95": 0.1},
    {"kind": "epoch", "epoch": 2, "step": 20, "ap50": 0.5, "ap50_95": 0.3},
    {"kind": "end", "reason": "all epochs done"},
]


class Links(HTMLParser):
    """Collects addresses and unclosed elements."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_page_tells_the_run() -> None:
    page = run_page("mine", RECORD, LINES)
    for text in ("2 tiles to train, 1 to validate", "epoch 2: AP50 0.500", "all epochs done", "from 9 to 3"):
        assert text in page
    assert page.count("<polyline") == 3
    assert "smoke <b>" not in page


def test_page_needs_nothing_else() -> None:
    links = Links()
    links.feed(run_page("mine", RECORD, LINES))
    assert links.addresses == []


def test_page_of_a_run_that_was_killed_at_once() -> None:
    page = run_page("mine", RECORD, [])
    assert "still running, or killed" in page
    assert "no epoch was evaluated" in page
    assert "Too few figures for a curve (0)" in page
