"""EC2's notices are heard by IMDSv2 alone, in whatever form they come."""

from collections.abc import Iterator

import pytest

from app.telemetry.interruption_notices.aws import ACTION_PATH, SpotNotices
from tests.app.telemetry.interruption_notices.metadata import Metadata, metadata_server


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with metadata_server() as server:
        yield server


def test_nothing_is_told_until_there_is_something(metadata: Metadata) -> None:
    notices = SpotNotices(metadata.address + "/")
    assert notices.look() == ()
    metadata.recommend_rebalance()
    (warning,) = notices.look()
    assert not warning.ends
    assert "since 2026-11-28T11:50:00Z" in warning.text
    metadata.interrupt()
    (end,) = notices.look()
    assert end.ends
    assert end.text == "AWS takes this spot machine at 2026-11-28T12:02:00Z (terminate)"
    assert metadata.refused == 0


def test_the_end_is_told_although_the_warning_cannot_be_asked_for(metadata: Metadata) -> None:
    metadata.failing.add("events/recommendations/rebalance")
    metadata.interrupt()
    (end,) = SpotNotices(metadata.address).look()
    assert end.ends


def test_a_token_that_is_over_is_renewed(metadata: Metadata) -> None:
    notices = SpotNotices(metadata.address)
    assert notices.look() == ()
    metadata.token = "token-2"
    metadata.interrupt()
    assert [notice.ends for notice in notices.look()] == [True]
    assert metadata.refused == 1


@pytest.mark.parametrize("document", ["", "terminate soon", '["terminate"]', "{"])
def test_a_notice_in_another_form_is_a_notice(metadata: Metadata, document: str) -> None:
    metadata.documents[ACTION_PATH.removeprefix("/latest/meta-data/")] = document
    (notice,) = SpotNotices(metadata.address).look()
    assert notice.ends


def test_an_address_that_does_not_answer_is_an_error(metadata: Metadata) -> None:
    metadata.broken = True
    with pytest.raises(OSError, match="503"):
        SpotNotices(metadata.address).look()
    with pytest.raises(OSError, match="refused"):
        SpotNotices("http://127.0.0.1:9").look()


def test_a_proxy_of_the_environment_is_not_asked(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert SpotNotices(metadata.address).look() == ()
