"""A training whose data and run lie on the host's disk only sealed: unsealed, trained and written in memory."""

import shutil
from dataclasses import replace
from pathlib import Path

from app.config.settings import Settings
from app.errors import DatasetError, OutputError, RunError, SealError, SettingsError, SonarstackError
from app.seal.discreet import Discreet, Redaction
from app.seal.folder import read_index, read_mark
from app.seal.key import SealKey
from app.seal.memory import memory_folder
from app.seal.sealed_mirror import SealedMirror
from app.seal.unseal import sealed_data_mark, unseal_data
from app.secrets import SEAL_KEY, SecretsManager
from app.telemetry.progress import Bar, Progress
from app.training.recipe import TrainConfig
from app.training.request import TrainRequest, TrainResult
from app.training.run import run_training
from app.training.run_folder import RunFolder
from app.training.team import Team

RUN_ROOM_BYTES = 192 << 20
"""For a new run: checkpoints of the shipped network are 13 MB each, and one more than is kept lies there at a time."""


def seal_key(settings: Settings, secrets: SecretsManager | None = None) -> SealKey | None:
    """The key this training was given; None where nothing is sealed.

    Raises:
        SealError: the settings or the data ask for a key, and none was given; or it is none.
    """
    told = (secrets or SecretsManager()).take(SEAL_KEY)
    if told is not None:
        return SealKey(told)
    data_is_sealed = settings.data is not None and read_mark(Path(settings.data)) is not None
    if settings.cloud.sealed or data_is_sealed:
        raise SealError(
            f"the {'data' if data_is_sealed else 'run'} is sealed and {SEAL_KEY} is not set: a host that was "
            "started again has forgotten it; `up` (or `watch`) on the machine that keeps the key gives it anew"
        )
    return None


def run_sealed(
    settings: Settings,
    request: TrainRequest,
    key: SealKey,
    *,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train as `run_training` does, in memory; `request.run` gets the run sealed, at each checkpoint and at the end.

    Raises:
        SealError: the data is not sealed, sealed for another key or damaged, or the memory is too small.
        OutputError: the place, or the address beyond it at the end, does not take the run.
    """
    if settings.data is None:
        raise SettingsError("a training needs labelled tiles: give --data FOLDER")
    data, place = Path(settings.data), request.run
    mark, run_mark = sealed_data_mark(data), read_mark(place)
    needs = mark.bytes + max(RUN_ROOM_BYTES, 2 * run_mark.bytes if run_mark is not None else 0)
    with memory_folder(needs) as memory:
        inside, unsealed = memory / "run", memory / "tiles" / data.resolve().name
        redact = Redaction({str(inside): str(place), str(unsealed): str(data)})
        mirror = SealedMirror(inside, place, key, beyond=settings.cloud.run_url)
        shown = Discreet(progress or Bar("images"), redact)
        try:
            mirror.require_writable()
            _take_up(inside, mirror, place, resume=request.resume)
            # Before anything can be said of them.
            redact.hide(read_index(data, mark, key).files)
            unseal_data(data, mark, key, unsealed)
            shown.note(f"sealed: {mark.files} files, {mark.bytes / 2**20:.1f} MiB, unsealed in memory")
            result = run_training(
                settings.model_copy(update={"data": str(unsealed)}),
                replace(request, run=inside),
                config=config,
                progress=shown,
                sealed=mirror,
                team=_Alone(memory),
            )
        except DatasetError as error:
            # It names files, groups or classes, and quotes what is wrong with them.
            what = (
                f"has {len(error.defects)} defects, which are not named here; look at them"
                if error.defects
                else "cannot be trained on, and why is not told here; look"
            )
            raise DatasetError(
                f"the sealed data {what} at home: python -m app train --report --data FOLDER"
            ) from None
        except SonarstackError as error:
            raise type(error)(redact(str(error))) from None
    if mirror.behind is not None:
        raise OutputError(f"the run lies sealed in {place}, and its copy is behind: {mirror.behind}")
    # There is no model to open at the place: it comes home sealed.
    return replace(result, run=str(place), model=None)


class _Alone(Team):
    """The only process; what is unsealed does not outlive it, not even where it is ended from outside."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory

    def leave(self, code: int) -> None:
        """See `Team.leave`."""
        # What hangs may hold on to a file; that must not hold up the end.
        shutil.rmtree(self._memory, ignore_errors=True)
        super().leave(code)


def _take_up(inside: Path, mirror: SealedMirror, place: Path, *, resume: bool) -> None:
    """Bring the run into memory, if there is one at the place."""
    if not resume and mirror.names():
        raise RunError(f"{place} already holds a run; give another --run, or take it up with --resume auto")
    RunFolder(inside, mirror=mirror).restore()
