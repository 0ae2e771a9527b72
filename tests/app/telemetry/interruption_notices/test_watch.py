"""Each notice is told once; a silent address is one note and no end."""

import time
from threading import Event

from app.telemetry.interruption_notices.notice import Notice
from app.telemetry.interruption_notices.watch import SILENT_LOOKS, NoticeWatch

END = Notice(ends=True, text="the end")
WARNING = Notice(ends=False, text="a warning")


def test_each_notice_is_told_once() -> None:
    looks = iter([(), (WARNING,), (WARNING,), (END, WARNING), (END, WARNING)])
    told: list[Notice] = []
    watch = NoticeWatch(lambda: next(looks), tell=told.append, note=lambda text: None)
    for _ in range(5):
        watch.look()
    assert told == [WARNING, END]


def test_a_silent_address_is_one_note_and_what_comes_later_is_heard() -> None:
    answers: list[bool] = [False] * (SILENT_LOOKS + 3) + [True]
    notes: list[str] = []
    told: list[Notice] = []

    def look() -> tuple[Notice, ...]:
        if not answers.pop(0):
            raise OSError("no route")
        return (END,)

    watch = NoticeWatch(look, tell=told.append, note=notes.append)
    while answers:
        watch.look()
    assert told == [END]
    assert len(notes) == 1
    assert "does not answer (no route)" in notes[0]
    assert "hop limit 2" in notes[0]


def test_it_looks_at_once_and_ends_though_a_look_hangs() -> None:
    looked, over = Event(), Event()

    def look() -> tuple[Notice, ...]:
        looked.set()
        over.wait(30)
        return ()

    with NoticeWatch(look, tell=lambda notice: None, note=lambda text: None):
        assert looked.wait(5)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    over.set()
