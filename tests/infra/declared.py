"""Parts of a cloud's target, each declared alone under Pulumi's mocks."""

from collections.abc import Callable, Mapping

from stacks.mock_run import Declared, declare

Program = Callable[[], object]


def made(program: Program) -> dict[str, Declared]:
    """What a program declares, by name."""

    def run() -> None:
        program()

    return {one.name: one for one in declare(run, project="sonarstack", stack="night")}


class Components:
    """Programs by name, each run once; nobody may change what they declare."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self._made: dict[str, dict[str, Declared]] = {}

    def __call__(self, kind: str) -> dict[str, Declared]:
        """What one declares, by name."""
        if kind not in self._made:
            self._made[kind] = made(self._programs[kind])
        return self._made[kind]


def of_type(declared: Mapping[str, Declared], suffix: str) -> list[Declared]:
    """Those of a type, such as VpcEndpoint."""
    return [one for one in declared.values() if one.token.endswith(f":{suffix}")]
