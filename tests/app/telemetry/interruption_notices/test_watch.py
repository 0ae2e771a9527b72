"""Each notice is told once; a silent address is one note and no end."""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from app.telemetry.interruption_notices.notice import Notice
from app.telemetry.interruption_notices.watch import NoticeWatch

END = Notice(ends=True, text="the end")
WARNING = Notice(ends=False, text="a warning")


class Source:
    """A cloud that is asked often."""

    every_s, silent_s = 5.0, 60.0

    def __init__(self, look: Callable[[], tuple[Notice, ...]]) -> None:
        self.look = look


def test_each_notice_is_told_once() -> None:
    other = replace(WARNING, about="another")
    looks = iter([(), (WARNING,), (WARNING, other), (END, WARNING), (END, WARNING, other)])
    told: list[Notice] = []
    watch = NoticeWatch(Source(lambda: next(looks)), tell=told.append, note=lambda text: None)
    for _ in range(5):
        watch.look()
    assert told == [WARNING, other, END]


def test_a_silent_address_is_one_note_and_what_comes_later_is_heard() -> None:
    now, answers = 0.0, [False] * 15 + [True]
    notes: dict[float, str] = {}
    told: list[Notice] = []

    def look() -> tuple[Notice, ...]:
        if not answers.pop(0):
            raise OSError("no route")
        return (END,)

    watch = NoticeWatch(
        Source(look), tell=told.append, note=lambda text: notes.update({now: text}), clock=lambda: now
    )
    while answers:
        now += Source.every_s
        watch.look()
    assert told == [END]
    assert list(notes) == [Source.silent_s]
    assert "does not answer (no route)" in notes[60.0]
    assert "hop limit of 2" in notes[60.0]


def test_it_looks_at_once_and_ends_though_a_look_hangs() -> None:
    looked, over = Event(), Event()

    def look() -> tuple[Notice, ...]:
        looked.set()
        over.wait(30)
        return ()

    with NoticeWatch(Source(look), tell=lambda notice: None, note=lambda text: None):
        assert looked.wait(5)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    over.set()
