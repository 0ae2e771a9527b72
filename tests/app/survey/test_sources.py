"""What files are called when several have one name."""

from pathlib import Path

import pytest

from app.survey.sources import source_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["day1/a.xtf", "day2/b.xtf"], ["a.xtf", "b.xtf"]),
        (["day1/a.xtf", "day2/a.xtf", "b.xtf"], ["day1/a.xtf", "day2/a.xtf", "b.xtf"]),
        (["p/x/a.xtf", "q/x/a.xtf", "q/y/a.xtf"], ["p/x/a.xtf", "q/x/a.xtf", "y/a.xtf"]),
        (["/a.xtf", "/x/a.xtf"], ["/a.xtf", "x/a.xtf"]),
        (["x/a.xtf", "x/a.xtf"], ["a.xtf", "a.xtf (2)"]),
        ([], []),
    ],
)
def test_names_are_as_short_as_they_can_be(paths: list[str], names: list[str]) -> None:
    assert source_names([Path(path) for path in paths]) == names


def test_a_file_of_the_folder_one_is_in_has_a_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "day1").mkdir()
    monkeypatch.chdir(tmp_path / "day1")
    assert source_names([Path("a.xtf"), tmp_path / "day2" / "a.xtf"]) == ["day1/a.xtf", "day2/a.xtf"]
