"""All files of a report or none."""

import os
from pathlib import Path

import pytest

from app.errors import OutputError
from app.report import write
from app.report.write import write_report
from tests.app.report.made_survey import made_contact, made_result


def test_four_files_are_written(tmp_path: Path) -> None:
    paths = write_report(made_result(), tmp_path / "new" / "out")
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == [
        "contacts.csv", "contacts.geojson", "contacts.kml", "report.html",
    ]  # fmt: skip
    assert paths.html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert b"\r\r\n" not in paths.csv.read_bytes()


def test_a_second_report_replaces_the_first_and_leaves_other_files(tmp_path: Path) -> None:
    write_report(made_result(), tmp_path)
    (tmp_path / "mine.txt").write_text("keep")
    paths = write_report(made_result(contacts=(made_contact(7),)), tmp_path)
    assert "C0007" in paths.csv.read_text()
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_recording_whose_name_is_not_utf8_costs_no_contacts(tmp_path: Path) -> None:
    named = os.fsdecode(b"M\xfcnchen.xtf")
    paths = write_report(made_result(contacts=(made_contact(source=named),)), tmp_path)
    for path in (paths.csv, paths.geojson, paths.html):
        assert "M?nchen.xtf" in path.read_text(encoding="utf-8")
    assert paths.kml.is_file()


def test_a_folder_that_is_a_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot write .*out.*; "):
        write_report(made_result(), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "not a folder"


def test_a_page_that_cannot_be_made_costs_no_contacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(made_result(), tmp_path)

    def broken(_result: object) -> str:
        raise ValueError("cannot draw")

    monkeypatch.setattr(write, "html_text", broken)
    with pytest.raises(
        OutputError, match=r"report.html cannot be made \(ValueError: cannot draw\); the contacts"
    ):
        write_report(made_result(contacts=(made_contact(9),)), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["contacts.csv", "contacts.geojson", "contacts.kml"]
    assert all("C0009" in p.read_text(encoding="utf-8") for p in tmp_path.iterdir())


def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(made_result(), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    real = Path.write_text

    def full_disk(self: Path, text: str, *args: object, **kwargs: object) -> int:
        if self.name == "contacts.kml":
            raise OSError(28, "No space left on device")
        return real(self, text, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(write.Path, "write_text", full_disk)
    with pytest.raises(OutputError, match="disk is full"):
        write_report(made_result(contacts=(made_contact(9),)), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
