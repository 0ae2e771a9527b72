"""Uploads over a real sshd: cut and gone on with, damage noticed and mended, whatever files are called."""

import filecmp
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.errors import HostError
from infra.hosts.far_tree import PARTIAL
from infra.hosts.local import LocalHost
from infra.hosts.process import CancelledError
from infra.hosts.ssh import SshHost
from infra.hosts.tree import STAMP, local_tree, remote_tree, tree_digest
from infra.hosts.upload import remove_upload, upload
from tests.infra.hosts.proxy import REPOSITORY, flip_byte, wait_until

MIB = 2**20
OVERHEAD = 4 * MIB
"""Of ssh, of checksums, and of what was under way when the line was cut."""


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b.txt").write_text("one")
    (folder / "deep" / "ü'$.bin").write_bytes(os.urandom(200_000))
    (folder / ".git").mkdir()
    (folder / ".git" / "secret").write_text("hush")
    return folder


@pytest.fixture
def big(tmp_path) -> Path:
    folder = tmp_path / "big"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(os.urandom(48 * MIB))
    return folder


@pytest.fixture
def target(sshd) -> str:
    return f"{sshd.home}/code"


def test_an_upload_is_equal_and_says_so(host, target, source) -> None:
    receipt = upload(host, source, target, exclude=[".git"])
    assert (receipt.files, receipt.bytes) == (2, 200_003)
    assert remote_tree(host, target) == local_tree(source, [".git"])
    assert receipt.sha256 == tree_digest(local_tree(source, [".git"]))
    assert not Path(target, ".git").exists()


def test_an_upload_again_brings_changes_and_takes_away_what_is_gone(host, target, source) -> None:
    upload(host, source, target, exclude=[".git"])
    (source / "a b.txt").unlink()
    (source / "new").write_text("new")
    upload(host, source, target, exclude=[".git"])
    assert remote_tree(host, target) == local_tree(source, [".git"])


def test_what_is_not_ours_is_neither_overwritten_nor_removed(host, sshd, source) -> None:
    folder = sshd.home / "theirs"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(HostError, match="holds files that are not this stack's"):
        upload(host, source, str(folder))
    with pytest.raises(HostError, match="does not carry our mark"):
        remove_upload(host, str(folder))
    assert (folder / "thesis.tex").exists()


def test_what_is_not_ours_stays_whatever_its_folder_is_called(source, tmp_path, monkeypatch) -> None:
    (tmp_path / "here" / "-mine").mkdir(parents=True)
    (tmp_path / "here" / "-mine" / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(HostError, match="holds files that are not this stack's"):
        upload(LocalHost(), source, "-mine")
    assert (tmp_path / "here" / "-mine" / "thesis.tex").exists()


def test_ours_is_removed_once_and_then_is_gone(host, target, source) -> None:
    upload(host, source, target)
    assert (Path(target) / STAMP).exists()
    remove_upload(host, target)
    assert not Path(target).exists()
    remove_upload(host, target)


def test_what_is_excluded_there_is_left_alone_and_not_read(host, target, source) -> None:
    upload(host, source, target, exclude=[".git", ".venv"])
    made_there = Path(target, ".venv")
    made_there.mkdir()
    (made_there / "torch.so").write_text("gigabytes")
    upload(host, source, target, exclude=[".git", ".venv"])
    assert (made_there / "torch.so").exists()
    assert not any(name.startswith(".venv") for name in remote_tree(host, target, [".venv"]) or {})


def test_only_what_is_named_is_sent_and_the_rest_there_is_left_alone(host, target, source) -> None:
    (source / "deep" / "round").write_text("1")
    (source / ".env").write_text("hush")
    receipt = upload(host, source, target, only=["deep", "absent"], exclude=["round"])
    assert list(remote_tree(host, target) or {}) == ["deep/ü'$.bin"]
    assert receipt.sha256 == tree_digest(local_tree(source, ["round"], only=["deep"]))
    Path(target, "made there").write_text("x")
    (source / "deep" / "ü'$.bin").rename(source / "deep" / "new")
    upload(host, source, target, only=["deep"], exclude=["round"])
    assert sorted(remote_tree(host, target) or {}) == ["deep/new", "made there"]


def test_a_pattern_is_of_a_name(host, target, source) -> None:
    with pytest.raises(HostError, match=r"exclude='deep/x' holds a slash; a pattern is of a name alone"):
        upload(host, source, target, exclude=["deep/x"])


def test_a_source_that_is_no_folder(host, target, tmp_path) -> None:
    with pytest.raises(HostError, match="none is no folder on this machine"):
        upload(host, tmp_path / "none", target)


def test_a_cut_line_is_gone_on_with_and_nothing_is_sent_twice(far, line, target, big) -> None:
    line.cut_up_at, line.away_s = 30 * MIB, 1.5
    receipt = upload(far, big, target)
    assert line.cuts == 1
    assert remote_tree(far, target) == local_tree(big)
    assert receipt.bytes == 48 * MIB
    # Begun anew it would be 78 MiB.
    assert line.up < 48 * MIB + OVERHEAD
    assert not list(Path(target).rglob(PARTIAL))


def test_an_upload_that_was_killed_is_gone_on_with_by_the_next(far, line, sshd, target, big) -> None:
    line.bytes_per_s = 12 * MIB
    program = (
        "import sys; from pathlib import Path; from infra.hosts.ssh import SshHost; "
        "from infra.hosts.upload import upload; a = sys.argv; "
        "upload(SshHost(a[1], host_key=a[2], identity=a[3], identity_only=True), Path(a[4]), a[5])"
    )
    words = [far.address, sshd.host_key, sshd.identity, str(big), target]
    killed = subprocess.Popen([sys.executable, "-c", program, *words], cwd=REPOSITORY)
    wait_until(lambda: line.up > 24 * MIB)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # The copy does not go on by itself: nobody would verify it, and the next would meet it.
    wait_until(lambda: any(Path(target).rglob(f"{PARTIAL}/*")))
    before, line.bytes_per_s = line.up, None
    upload(far, big, target)
    assert remote_tree(far, target) == local_tree(big)
    assert line.up - before < 28 * MIB + OVERHEAD


def test_a_line_that_stays_away_is_one_line(far, line, target, big, monkeypatch) -> None:
    monkeypatch.setattr("infra.hosts.patience.WAITS_S", (0.1, 0.1))
    line.cut_up_at, line.away_s = 8 * MIB, 600.0
    with pytest.raises(HostError, match=r"cannot be reached: ") as told:
        upload(far, big, target)
    assert "\n" not in str(told.value)


def test_a_byte_flipped_there_is_noticed_and_mended_by_the_next(far, line, target, big) -> None:
    upload(far, big, target)
    flip_byte(Path(target, "weights.bin"), 20 * MIB)
    assert remote_tree(far, target) != local_tree(big)
    before = line.up
    upload(far, big, target)
    assert remote_tree(far, target) == local_tree(big)
    assert line.up - before < OVERHEAD  # the difference, not the file


class Tampering(SshHost):
    """A host that damages a file whenever checksums are asked for."""

    victim: Path

    def run(self, argv, **rest):
        if "find -L" in " ".join(argv):
            flip_byte(self.victim, 0)
        return super().run(argv, **rest)


def test_damage_that_comes_back_is_an_error(sshd, host, target, source) -> None:
    bad = Tampering(sshd.address, host_key=sshd.host_key, identity=sshd.identity, identity_only=True)
    bad.victim = Path(target, "a b.txt")
    with pytest.raises(HostError, match=r"1 files differ on ssh://.* after the upload, a b.txt first"):
        upload(bad, source, target)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: (f / "a b.txt").write_text("two"), "a b.txt"),
        (lambda f: (f / "a b.txt").unlink(), "a b.txt"),
        (lambda f: (f / "later").write_text("x"), "later"),
    ],
)
def test_a_source_that_changes_meanwhile_is_noticed(host, target, source, change, name) -> None:
    def meddle(done: int, total: int) -> None:
        if done == 0:
            change(source)

    with pytest.raises(
        HostError, match=f"1 files changed on this machine while they were sent, {name} first"
    ):
        upload(host, source, target, progress=meddle)
    upload(host, source, target)
    assert remote_tree(host, target) == local_tree(source)


def test_names_of_all_kinds_and_empty_folders(host, sshd, tmp_path) -> None:
    folder = tmp_path / "-odd source: one"
    (folder / "-rf").mkdir(parents=True)
    (folder / "no files").mkdir()
    names = ["-rf/--delete", "line\nbreak", "back\\slash", "back\\nslash", "cr\rhere", " lead", "trail ", "Ünï ☃.txt",
             "\u2028sep", "\x85nel", "quote'\"$(x)`", "#hash", ";semi", "*?[a]", "a:b", "~", "tab\t"]  # fmt: skip
    for name in names:
        (folder / name).write_text(name)
    os.close(os.open(os.fsencode(folder) + b"/not-utf8-\xff", os.O_CREAT | os.O_WRONLY))
    target = f"{sshd.home}/-odd target: it's"
    receipt = upload(host, folder, target)
    assert receipt.files == len(names) + 1
    assert remote_tree(host, target) == local_tree(folder) == local_tree(Path(target))
    assert Path(target, "no files").is_dir()
    for name in names:  # mended one by one too, for that is another way through rsync
        flip_byte(Path(target, name), 0)
    upload(host, folder, target)
    assert local_tree(folder) == local_tree(Path(target))


def test_an_empty_folder(host, target, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    receipt = upload(host, tmp_path / "empty", target)
    assert (receipt.files, receipt.bytes, receipt.sha256) == (0, 0, tree_digest({}))
    assert Path(target).is_dir()


def test_links_are_followed_to_their_content(host, target, source, tmp_path) -> None:
    (tmp_path / "elsewhere" / "in").mkdir(parents=True)
    (tmp_path / "elsewhere" / "in" / "tile.png").write_text("pixels")
    (source / "folder").symlink_to(tmp_path / "elsewhere")
    (source / "file").symlink_to("a b.txt")
    upload(host, source, target)
    assert Path(target, "folder", "in", "tile.png").read_text() == "pixels"
    assert not Path(target, "file").is_symlink()
    assert "folder/in/tile.png" in local_tree(source)
    assert remote_tree(host, target) == local_tree(source)


def test_links_that_lead_nowhere_or_round_are_told_before_anything_is_sent(host, target, source) -> None:
    (source / "disk").symlink_to("/no/such/disk")
    with pytest.raises(
        HostError, match=r"source/disk is a link that leads nowhere; mend, remove or exclude it"
    ):
        upload(host, source, target)
    (source / "disk").unlink()
    (source / "deep" / "round").symlink_to("..")
    with pytest.raises(HostError, match=r"deep/round is a link back into itself"):
        upload(host, source, target)
    assert not Path(target).exists()
    upload(host, source, target, exclude=["round"])


@pytest.fixture
def small_disk(sshd):
    folder = sshd.home / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_there_is_one_line(host, small_disk, big) -> None:
    with pytest.raises(HostError, match=r"the disk of ssh://.* is full; free some room") as told:
        upload(host, big, f"{small_disk}/code")
    assert "\n" not in str(told.value)


def test_progress_is_told_in_bytes(far, line, target, big) -> None:
    line.bytes_per_s = 12 * MIB  # rsync counts once a second
    told: list[tuple[int, int]] = []
    upload(far, big, target, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 48 * MIB)
    assert told[-1] == (48 * MIB, 48 * MIB)
    assert told == sorted(told)
    assert len([done for done, _ in told if MIB < done < 47 * MIB]) >= 2


def test_cancel_ends_an_upload_in_the_middle_and_keeps_what_has_arrived(far, line, target, big) -> None:
    line.bytes_per_s = 12 * MIB
    stop = threading.Event()

    def watch(done: int, total: int) -> None:
        if done > 12 * MIB:
            stop.set()

    with pytest.raises(CancelledError, match="the copying was cancelled; what has arrived is kept"):
        upload(far, big, target, cancelled=stop.is_set, progress=watch)
    wait_until(lambda: any(Path(target).rglob(f"{PARTIAL}/*")))
    before, line.bytes_per_s = line.up, None
    upload(far, big, target)
    assert line.up - before < 40 * MIB


@pytest.mark.slow
def test_ten_thousand_small_files_over_one_connection(far, line, target, tmp_path, capsys) -> None:
    for number in range(10_000):
        path = tmp_path / "many" / f"{number // 200}" / f"tile-{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"tile {number}\n" * 50)
    started = time.perf_counter()
    receipt = upload(far, tmp_path / "many", target)
    first_s = time.perf_counter() - started
    victim = Path(target, "7", "tile-1500.txt")
    flip_byte(victim, 3)
    started = time.perf_counter()
    upload(far, tmp_path / "many", target)
    with capsys.disabled():
        print(f"\n10,000 files: sent in {first_s:.1f} s, again in {time.perf_counter() - started:.1f} s")
    assert receipt.files == 10_000
    assert local_tree(Path(target)) == local_tree(tmp_path / "many")
    assert line.connections == 1


@pytest.mark.slow
def test_a_file_of_two_gigabytes(host, sshd, tmp_path, capsys) -> None:
    free = os.statvfs(tmp_path)
    if free.f_bavail * free.f_frsize < 6 * 2**30:
        pytest.skip("6 GiB of free disk are needed")
    (tmp_path / "huge").mkdir()
    with (tmp_path / "huge" / "survey.xtf").open("wb") as stream:
        stream.truncate(2 * 2**30 + 1)  # beyond 31 bits; a hole, with data at both ends and in the middle
        for at in (0, 2**30, 2 * 2**30 - MIB):
            stream.seek(at)
            stream.write(os.urandom(MIB))
    target = f"{sshd.home}/data"
    started = time.perf_counter()
    receipt = upload(host, tmp_path / "huge", target)
    first_s = time.perf_counter() - started
    assert receipt.bytes == 2 * 2**30 + 1
    flip_byte(Path(target, "survey.xtf"), 2**30 + 12345)
    started = time.perf_counter()
    upload(host, tmp_path / "huge", target)
    with capsys.disabled():
        print(
            f"\n2 GiB: sent in {first_s:.1f} s, a flipped byte mended in {time.perf_counter() - started:.1f} s"
        )
    assert filecmp.cmp(Path(target, "survey.xtf"), tmp_path / "huge" / "survey.xtf", shallow=False)
