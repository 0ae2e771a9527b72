"""Messages against a real HTTP server on loopback: they arrive, fail quietly, and never show an address."""

import threading
import time
from pathlib import Path

import pytest

from app.telemetry import notify
from app.telemetry.notify import Notifier, split_addresses
from tests.app.telemetry.hook import TOKEN, Hooked, hook

__all__ = ["hook"]


def send(addresses: str | None, *titles: str) -> list[str]:
    """The notes of sending so many messages."""
    notes: list[str] = []
    notifier = Notifier(addresses, note=notes.append)
    for title in titles or ("done",):
        notifier.send(title, "a body")
    notifier.close(timeout_s=60)
    return notes


def test_a_message_arrives_and_says_nothing(hook: Hooked, capfd: pytest.CaptureFixture[str]) -> None:
    assert send(f"{hook.address}/{TOKEN}") == []
    assert [(m["title"], m["message"]) for _, m in hook.messages] == [("done", "a body")]
    assert "".join(capfd.readouterr()) == ""


def test_messages_keep_their_order(hook: Hooked) -> None:
    assert send(hook.address, "one", "two", "three") == []
    assert [m["title"] for _, m in hook.messages] == ["one", "two", "three"]


def test_one_address_that_refuses_does_not_keep_the_others(
    hook: Hooked, capfd: pytest.CaptureFixture[str]
) -> None:
    notes = send(f"{hook.address}/refused/{TOKEN}, {hook.address}/fine")
    assert {path.split("/")[1] for path, _ in hook.messages} == {"refused", "fine"}
    assert notes == [
        "a message did not get through to address 1 (json); "
        "check notify_url and whether this machine reaches it"
    ]
    assert TOKEN not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("addresses", "named"),
    [
        (f"json://127.0.0.1:1/{TOKEN}", "address 1 (json)"),
        (f"nonsense://{TOKEN}/{TOKEN}", "address 1 (nonsense)"),
        (TOKEN, "address 1;"),
        (f"json://user:{TOKEN}@127.0.0.1:1/ mailto://{TOKEN}", "address 1 (json), address 2 (mailto)"),
    ],
)
def test_addresses_that_cannot_be_reached_are_one_note_without_their_secret(
    addresses: str, named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    notes = send(addresses)
    assert len(notes) == 1
    assert named in notes[0]
    assert TOKEN not in notes[0] + "".join(capfd.readouterr())


def test_a_server_that_never_answers_holds_nobody_up(hook: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "ANSWER_WITHIN_S", 6.0)  # a busy machine still reaches the other one
    notes: list[str] = []
    notifier = Notifier(f"{hook.address}/slow/{TOKEN} {hook.address}/fine", note=notes.append)
    started = time.monotonic()
    notifier.send("done", "a body")
    assert time.monotonic() - started < 0.5
    notifier.close()
    assert time.monotonic() - started < 15
    assert len(notes) == 1
    assert "address 1 (json);" in notes[0]


def test_a_program_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs.py"
    hangs.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(notify, "PROGRAM", hangs)
    monkeypatch.setattr(notify, "TIMEOUT_S", 0.5)
    notes = send(f"json://127.0.0.1:1/{TOKEN}")
    assert len(notes) == 1
    assert notes[0].startswith("a message was not sent (TimeoutExpired after ")
    assert TOKEN not in notes[0]


def test_without_apprise_the_note_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notes = send("json://127.0.0.1:1/")
    assert notes == ["messages need apprise: pip install 'sonarstack[notify]'; training goes on without them"]


def test_nobody_to_tell_costs_nothing() -> None:
    before = threading.active_count()
    notifier = Notifier(None, note=pytest.fail)
    notifier.send("done", "a body")
    assert threading.active_count() == before
    assert not notifier


def test_addresses_are_split_where_the_next_begins() -> None:
    text = "mailto://me:pw@example.org?to=a@b.c,d@e.f, json://host/x\n slack://A/B/C"
    assert split_addresses(text) == (
        "mailto://me:pw@example.org?to=a@b.c,d@e.f",
        "json://host/x",
        "slack://A/B/C",
    )
    assert split_addresses(" , ") == ()


def test_what_a_plug_in_prints_or_raises_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apprise.py").write_text(
        "import sys\n"
        "class Apprise:\n"
        "    def add(self, address):\n"
        "        print(address)\n"
        "        sys.stderr.write(address)\n"
        "        if 'fails' in address: raise ValueError(address)\n"
        "        return True\n"
        "    def notify(self, **message):\n"
        "        return True\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notes = send(f"json://127.0.0.1:1/{TOKEN} json://127.0.0.1:1/fails/{TOKEN}")
    assert len(notes) == 1
    assert "through to address 2 (json);" in notes[0]
    assert TOKEN not in notes[0] + "".join(capfd.readouterr())
