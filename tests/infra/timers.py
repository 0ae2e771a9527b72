"""Stand-ins for crontab and systemctl: programs on PATH that keep what they are given in a folder."""

from pathlib import Path

CRONTAB = """#!/bin/sh
echo "crontab $*" >>"{folder}/calls"
[ -f "{folder}/broken" ] && {{ echo "crontab: cannot lock" >&2; exit 1; }}
case "$1" in
-l) [ -f "{folder}/table" ] || {{ echo "no crontab for you" >&2; exit 1; }}; cat "{folder}/table" ;;
-) cat >"{folder}/table" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>"{folder}/calls"
[ -f "{folder}/refuses" ] && {{ echo "Failed to enable unit: no" >&2; exit 1; }}
exit 0
"""


class Timers:
    """A machine with cron, systemd, both or neither."""

    def __init__(self, folder: Path, monkeypatch, *, cron: bool = True, systemd: bool = False) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir(parents=True)
        for name, text, there in (("crontab", CRONTAB, cron), ("systemctl", SYSTEMCTL, systemd)):
            if there:
                (self.bin / name).write_text(text.format(folder=folder))
                (self.bin / name).chmod(0o755)
        for program in ("sh", "cat", "echo"):
            for place in ("/bin", "/usr/bin"):
                if (Path(place) / program).exists() and not (self.bin / program).exists():
                    (self.bin / program).symlink_to(Path(place) / program)
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))

    @property
    def table(self) -> str:
        path = self.folder / "table"
        return path.read_text() if path.is_file() else ""

    @table.setter
    def table(self, text: str) -> None:
        (self.folder / "table").write_text(text)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.is_file() else []

    def unit(self, kind: str) -> Path:
        return self.folder / "config/systemd/user" / f"sonarstack-reap.{kind}"
