"""A container's memory counts where it is less than its host's."""

from pathlib import Path

from app.device.host_memory import host_free_bytes, host_limit_bytes


def test_limit(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1073741824\n")
    assert host_limit_bytes(tmp_path) == 2**30
    limit.write_text("max\n")
    assert host_limit_bytes(tmp_path) > 2**28
    assert host_limit_bytes(tmp_path / "none") > 2**28


def test_free(tmp_path: Path) -> None:
    """What the kernel keeps of files that were read, and gives up at once, is free."""
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("90000000\n")
    (tmp_path / "memory.stat").write_text("anon 20000000\ninactive_file 60000000\n")
    assert host_free_bytes(tmp_path) == 70_000_000
    (tmp_path / "memory.current").write_text("190000000\n")
    assert host_free_bytes(tmp_path) == 0
    assert host_free_bytes(tmp_path / "none") > 2**20
