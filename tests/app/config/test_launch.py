"""What torchrun's variables are understood as."""

from app.config.launch import launched

TOLD = {
    "TORCHELASTIC_RUN_ID": "one",
    "RANK": "9",
    "WORLD_SIZE": "16",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "8",
    "GROUP_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "TORCHELASTIC_MAX_RESTARTS": "3",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}


def test_a_process_of_torchrun_knows_its_place() -> None:
    launch = launched(TOLD)
    assert launch is not None
    assert (launch.rank, launch.size, launch.local_rank, launch.local_size, launch.nodes) == (9, 16, 1, 8, 2)
    assert (launch.restarts, launch.restarts_left) == (1, 2)
    assert (launch.address, launch.port) == ("10.0.0.1", 29500)


def test_other_processes_are_alone() -> None:
    assert launched({}) is None
    assert launched({"RANK": "0", "WORLD_SIZE": "2"}) is None
