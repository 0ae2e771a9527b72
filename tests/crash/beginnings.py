"""Stacks as they are before the verb that is killed; where no pod lives then, one is made and begun from again."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.crash.ground import copy_project, ground
from tests.crash.scenarios import Scenario, Stack, settings_of
from tests.crash.ways import Way


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A stack as files. Paths and the account's address stand in them: it is begun again in the same place only."""

    folder: Path
    copy: Path
    port: int


class Beginnings:
    """Of one copy of the project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project = copy_project(folder / "project")
        self._numbers = count()
        self._free: dict[tuple[str, str], SimpleQueue[Kept]] = defaultdict(SimpleQueue)

    @contextmanager
    def begun(self, scenario: Scenario, way: Way) -> Iterator[Stack]:
        """A stack that the verb is to meet."""
        if not scenario.empty:
            with self.bare(scenario, way) as stack:
                scenario.before(stack)
                yield stack
            return
        free = self._free[scenario.name, way.name]
        try:
            kept = free.get_nowait()
        except Empty:
            kept = self._keep(scenario, way)
        shutil.rmtree(kept.folder)
        shutil.copytree(kept.copy, kept.folder, symlinks=True)
        with ground(kept.folder, self._project, settings_of(scenario), port=kept.port) as made:
            yield Stack(ground=made, way=way)
        free.put(kept)  # not after an error: then it stays as it is, to be looked at

    @contextmanager
    def bare(self, scenario: Scenario, way: Way) -> Iterator[Stack]:
        """A stack that has never been up."""
        with ground(self._room(), self._project, settings_of(scenario)) as made:
            way.prepare(made)
            yield Stack(ground=made, way=way)

    def _keep(self, scenario: Scenario, way: Way) -> Kept:
        with self.bare(scenario, way) as stack:
            scenario.before(stack)
            folder, port = stack.ground.folder, stack.ground.proxy.port
        copy = folder.with_name(f"{folder.name}-before")
        shutil.copytree(folder, copy, symlinks=True)
        return Kept(folder=folder, copy=copy, port=port)

    def _room(self) -> Path:
        return self._folder / f"cell-{next(self._numbers)}"
