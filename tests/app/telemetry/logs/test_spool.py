"""What waits on the disk comes out in order, once, within its bound, whatever cut a process short."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.telemetry.logs.spool import CURSOR, Spool


def line(number: int) -> bytes:
    return json.dumps({"n": number}).encode() + b"\n"


def numbers(lines: tuple[bytes, ...]) -> list[int]:
    return [json.loads(one)["n"] for one in lines]


def drain(spool: Spool, at_once: int = 7) -> list[int]:
    found: list[int] = []
    while (batch := spool.read(at_once, 10_000)) is not None:
        found += numbers(batch.lines)
        spool.tick_off(batch, len(batch.lines))
    return found


@settings(max_examples=60, deadline=None)
@given(
    doing=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 9)),
            st.tuples(st.just("send"), st.integers(1, 5)),
            st.tuples(st.just("crash"), st.booleans()),
        ),
        max_size=30,
    )
)
def test_all_that_was_added_comes_out_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, doing: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, segment_bytes=40)
    added, out = 0, []
    for what, count in doing:
        if what == "add":
            for _ in range(count):
                spool.append(line(added))
                added += 1
        elif what == "send" and (batch := spool.read(9, 10_000)) is not None:
            taken = min(count, len(batch.lines))
            out += numbers(batch.lines[:taken])
            spool.tick_off(batch, taken)
        elif what == "crash":
            if count:  # in the middle of a line
                newest = max(folder.glob("[0-9]*.jsonl"), default=None)
                if newest is not None:
                    with newest.open("ab") as stream:
                        stream.write(b'{"n": 99')
            spool = Spool(folder, segment_bytes=40)
        assert spool.waiting == added - len(out)
    assert out + drain(spool) == list(range(added))
    spool.clear()
    assert not folder.exists()


def test_the_oldest_go_where_the_bound_is_passed_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", limit_bytes=1000, segment_bytes=100)
    for number in range(500):
        spool.append(line(number))
        assert sum(p.stat().st_size for p in (tmp_path / "q").glob("*.jsonl")) <= 1000
    assert 0 < spool.waiting < 120
    assert spool.lost == 500 - spool.waiting
    assert drain(spool) == list(range(spool.lost, 500))


def test_a_batch_that_is_pushed_out_while_it_is_sent_is_not_counted_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", limit_bytes=300, segment_bytes=100)
    for number in range(10):
        spool.append(line(number))
    batch = spool.read(5, 10_000)
    assert batch is not None
    for number in range(10, 60):
        spool.append(line(number))
    spool.tick_off(batch, len(batch.lines))
    left = drain(spool)
    assert left == list(range(60 - len(left), 60))
    assert spool.waiting == 0


def test_a_batch_has_at_most_so_many_bytes_and_at_least_one_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q")
    for number in range(9):
        spool.append(line(number))
    batch = spool.read(100, 30)
    assert batch is not None
    assert len(batch.lines) == 3
    small = spool.read(100, 1)
    assert small is not None
    assert len(small.lines) == 1


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"segment": "x"}', '{"segment": 0, "offset": 7}'])
def test_a_damaged_cursor_sends_twice_rather_than_not_at_all(tmp_path: Path, cursor: str) -> None:
    spool = Spool(tmp_path / "q")
    spool.append(line(1))
    (tmp_path / "q" / CURSOR).write_text(cursor)
    assert drain(Spool(tmp_path / "q")) == [1]


def test_a_folder_that_was_removed_by_half_takes_new_lines(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "q", segment_bytes=1)
    for number in range(3):
        spool.append(line(number))
    assert drain(spool) == [0, 1, 2]
    for segment in (tmp_path / "q").glob("0*.jsonl"):
        segment.unlink()
    later = Spool(tmp_path / "q")
    later.append(line(3))
    assert drain(later) == [3]


def test_a_full_disk_is_an_error_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "q")
    spool.append(line(1))
    real = Path.open

    def full(self: Path, mode: str = "r", *args: object, **named: object) -> object:
        if mode == "ab":
            with real(self, "ab") as stream:
                stream.write(b'{"n": ')
            raise OSError(28, "No space left on device")
        return real(self, mode, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space"):
        spool.append(line(2))
    monkeypatch.setattr(Path, "open", real)
    spool.append(line(3))
    assert drain(spool) == [1, 3]
