"""Which recordings paths and folders stand for."""

from pathlib import Path

from app.verbs.survey_files import recordings_in


def test_a_file_is_read_once_however_often_it_is_named(tmp_path: Path) -> None:
    a, b = tmp_path / "day1" / "a.xtf", tmp_path / "day2" / "a.xtf"
    for file in (a, b):
        file.parent.mkdir()
        file.write_bytes(b"xtf")
    (tmp_path / "link.xtf").symlink_to(a)
    again = tmp_path / "day1" / ".." / "day2" / "a.xtf"
    assert recordings_in([b, a, b, tmp_path, again, tmp_path / "link.xtf"]) == [b, a]
