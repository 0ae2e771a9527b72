"""Azure's scheduled events: which end a training, which only save it, and whose they are."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from app.telemetry.interruption_notices.azure import NEAR_S, ScheduledEvents
from tests.app.telemetry.interruption_notices.scheduled_events import (
    MACHINE,
    AzureMetadata,
    azure_metadata_server,
)


@pytest.fixture
def metadata() -> Iterator[AzureMetadata]:
    with azure_metadata_server() as server:
        yield server


@pytest.mark.parametrize(
    ("kind", "text"),
    [("Preempt", "Azure takes this spot machine at "), ("Terminate", "Azure deletes this machine at ")],
)
def test_what_takes_the_machine_ends_the_training(metadata: AzureMetadata, kind: str, text: str) -> None:
    events = ScheduledEvents(metadata.address + "/")
    assert events.look() == ()
    metadata.tell(kind)
    (notice,) = events.look()
    assert notice.ends
    assert notice.text.startswith(text)
    assert metadata.events[0]["NotBefore"] in notice.text
    # Started already: an eviction may come without its thirty seconds.
    metadata.events[0].update(EventStatus="Started", NotBefore="")
    (again,) = events.look()
    assert (again.ends, again.about) == (True, notice.about)
    assert " now (" in again.text
    # Approving would bring the end nearer.
    assert metadata.approved == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Reboot", "goes on from its newest checkpoint"),
        ("Redeploy", "another host"),
        ("Freeze", "the training goes on after that"),
        ("Upgrade", "something else"),
    ],
)
def test_what_leaves_the_machine_saves_the_training_twice(
    metadata: AzureMetadata, kind: str, why: str
) -> None:
    """When it is told, for that may be days ahead, and just before."""
    now = time.time()
    events = ScheduledEvents(metadata.address, clock=lambda: now)
    metadata.tell(kind, in_s=900)
    (early,) = events.look()
    now += 900 - NEAR_S + 2
    (late,) = events.look()
    assert not early.ends
    assert not late.ends
    assert why in early.text
    assert early.about != late.about
    assert "in a moment" in late.text


@pytest.mark.parametrize("when", ["", "soon", None])
def test_a_restart_at_a_time_that_nobody_can_read_is_near(metadata: AzureMetadata, when: str | None) -> None:
    metadata.tell("Reboot", NotBefore=when)
    (notice,) = ScheduledEvents(metadata.address).look()
    assert notice.about.endswith("near")


def test_another_machines_event_is_not_ours(metadata: AzureMetadata) -> None:
    events = ScheduledEvents(metadata.address)
    metadata.tell("Preempt", of=("somebody-else", "one-more"))
    assert events.look() == ()
    metadata.tell("Preempt", of=("somebody-else", MACHINE.upper()))
    assert [notice.ends for notice in events.look()] == [True]
    # Its name is asked for once, and not before something is told.
    assert metadata.asked.count("/metadata/instance/compute/name") == 1


def test_an_event_that_names_nobody_or_a_name_that_does_not_come_is_ours(metadata: AzureMetadata) -> None:
    events = ScheduledEvents(metadata.address)
    metadata.tell("Preempt", of=())
    assert len(events.look()) == 1
    metadata.name = None
    nameless = ScheduledEvents(metadata.address)
    metadata.events[0]["Resources"] = ["somebody-else"]
    assert len(nameless.look()) == 1
    metadata.name = MACHINE
    assert nameless.look() == ()


def test_several_at_once_are_all_told(metadata: AzureMetadata) -> None:
    metadata.tell("Freeze", in_s=900)
    metadata.evict()
    assert [n.ends for n in ScheduledEvents(metadata.address).look()] == [False, True]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", "null"])
def test_what_is_no_list_of_events_is_an_error(metadata: AzureMetadata, body: str) -> None:
    metadata.body = body
    with pytest.raises(OSError, match=r"no list of events from http://127\.0\.0\.1"):
        ScheduledEvents(metadata.address).look()


def test_an_address_that_does_not_answer_is_an_error(metadata: AzureMetadata) -> None:
    with pytest.raises(OSError, match="refused"):
        ScheduledEvents("http://127.0.0.1:9").look()


def test_a_proxy_of_the_environment_is_not_asked(
    metadata: AzureMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ScheduledEvents(metadata.address).look() == ()


def test_times_are_read_as_the_service_writes_them(metadata: AzureMetadata) -> None:
    events = ScheduledEvents(metadata.address, clock=lambda: 0.0)
    metadata.tell("Reboot", NotBefore=formatdate(NEAR_S + 1, usegmt=True))
    metadata.tell("Reboot", NotBefore=formatdate(NEAR_S, usegmt=True))
    assert [notice.about.endswith("near") for notice in events.look()] == [False, True]
