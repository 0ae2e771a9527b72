"""The log of a sealed run names none of its files."""

from app.seal.discreet import Discreet, Redaction
from app.telemetry.progress import Silent


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_names_and_places_are_replaced() -> None:
    redact = Redaction({"/dev/shm/x/run": "/workspace/run"})
    redact.hide(["images/wreck of the ANNA.png", "labels/wreck of the ANNA.txt", "data.yaml", "images/7.png"])
    heard = Heard()
    shown = Discreet(heard, redact)
    shown.note("left out: images/wreck of the ANNA.png: cut short")
    shown.note("left out: wreck of the ANNA: cut short")
    shown.note("/dev/shm/x/run was begun on data of 7 days, 17 epochs")
    assert heard.notes == [
        "left out: (a sealed file): cut short",
        "left out: (a sealed file): cut short",
        "/workspace/run was begun on data of (a sealed file) days, 17 epochs",
    ]


def test_nothing_to_hide() -> None:
    redact = Redaction({})
    redact.hide([])
    assert redact("as it is") == "as it is"
