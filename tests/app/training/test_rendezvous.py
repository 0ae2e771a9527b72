"""Several machines that do not find each other."""

from pathlib import Path

import pytest
from torch.distributed.elastic.rendezvous import RendezvousConnectionError
from torch.distributed.launcher import api

from app.config.settings import Settings
from app.errors import RunError
from app.training.launch import Processes, train_by_several
from app.training.request import TrainRequest


def test_a_first_machine_that_does_not_answer_is_named(tmp_path: Path, monkeypatch) -> None:
    def unanswered(*_: object, **__: object) -> None:  # torch itself tries for more than a minute
        raise RendezvousConnectionError("The connection to the C10d store has failed.")

    monkeypatch.setattr(api, "launch_agent", unanswered)
    processes = Processes(here=1, nodes="2", rendezvous="nohost")
    with pytest.raises(
        RunError, match="nobody answers at --rendezvous nohost; give HOST:PORT of the first machine"
    ):
        train_by_several(Settings(), TrainRequest(run=tmp_path), processes)
