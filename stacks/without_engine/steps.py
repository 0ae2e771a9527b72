"""Same, update, replace, create, delete: the engine's plain cases, one resource after the other."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.errors import InfraError
from infra.provider.values import UNKNOWN, Properties
from stacks.without_engine.plugin import Plugin, PluginRefusedError
from stacks.without_engine.state import Kept, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A resource as the program asks for it."""

    urn: str
    inputs: Properties
    needs: list[str]
    property_needs: dict[str, list[str]]


class Steps:
    """Brings a stack from its state to what is wanted."""

    def __init__(self, plugin: Plugin, state: State, say: Callable[[str], None]) -> None:
        """`say` gets a line a step."""
        self._plugin, self._state, self._say = plugin, state, say
        self._registered: set[str] = set()

    def register(self, wanted: Wanted) -> Kept:
        """Make it, or leave, change or replace the one that is there.

        Raises:
            PluginRefusedError: the plugin refused; what it made all the same is in the state.
        """
        self._registered.add(wanted.urn)
        old = self._state.get(wanted.urn)
        self._plugin.check(wanted.urn, wanted.inputs, old)
        if old is None:
            return self._create(wanted)
        answer = self._plugin.diff(old, wanted.inputs)
        if answer.replaces:
            self._say(f"+- {_named(old)}: to be replaced ({', '.join(answer.replaces)})")
            for one in [*reversed(self._replaced_with(old)), old]:
                self._delete(one)
            return self._create(wanted)
        # What was not finished is gone on with, changed or not.
        if answer.changes == answer.DIFF_SOME or old.problems:
            return self._update(old, wanted, sorted(answer.diffs))
        self._say(f"=  {_named(old)}: as it was")
        return self._state.put(
            replace(
                old,
                inputs=wanted.inputs.values,
                needs=wanted.needs,
                property_needs=wanted.property_needs,
            )
        )

    def drop_unregistered(self) -> None:
        """Delete what the program does not ask for any more, dependents first."""
        for one in reversed(self._state.in_order()):
            if one.urn not in self._registered:
                self._delete(one)

    def refresh(self) -> None:
        """Look at everything; what is gone is forgotten."""
        for one in self._state.in_order():
            found = self._plugin.read(one)
            if found is None:
                self._state.drop(one.urn)
                self._say(f"-  {_named(one)}: gone, forgotten")
                continue
            changed = sorted(key for key, value in found.values.items() if one.outputs.get(key) != value)
            self._state.put(replace(one, outputs=found.values, secrets=_secrets(found, one.secrets)))
            self._say(f"{'~ ' if changed else '= '} {_named(one)}: {_listed(changed) or 'as it was'}")

    def destroy(self) -> None:
        """Delete all, dependents first, up to the first refusal."""
        for one in reversed(self._state.in_order()):
            self._delete(one)
        self._state.outputs = {}
        self._state.save()

    def _create(self, wanted: Wanted) -> Kept:
        began = time.monotonic()
        problems: list[str] = []
        refused: PluginRefusedError | None = None
        try:
            id_, outputs = self._plugin.create(wanted.urn, wanted.inputs)
        except PluginRefusedError as error:
            if error.kept is None:
                raise
            (id_, outputs), problems, refused = error.kept, [str(error)], error
        made = self._state.put(_kept(wanted, id_, outputs, problems))
        if refused is not None:
            raise refused
        self._say(f"+  {_named(made)}: made in {time.monotonic() - began:.1f} s")
        return made

    def _update(self, old: Kept, wanted: Wanted, changed: list[str]) -> Kept:
        began = time.monotonic()
        try:
            outputs = self._plugin.update(old, wanted.inputs)
        except PluginRefusedError as error:
            if error.kept is not None:
                self._state.put(_kept(wanted, error.kept[0], error.kept[1], [str(error)]))
            raise
        made = self._state.put(_kept(wanted, old.id, outputs, []))
        self._say(
            f"~  {_named(made)}: {_listed(changed) or 'gone on with'} in {time.monotonic() - began:.1f} s"
        )
        return made

    def _delete(self, one: Kept) -> None:
        began = time.monotonic()
        self._plugin.delete(one)
        self._state.drop(one.urn)
        self._say(f"-  {_named(one)}: deleted in {time.monotonic() - began:.1f} s")

    def _replaced_with(self, old: Kept) -> list[Kept]:
        """Whatever cannot stay without it: the plugin is asked, with the inputs that come from it unknown.

        So does the engine (pulumi 1b5949891b, step_generator.go, calculateDependentReplacements).
        """
        gone, found = {old.urn}, []
        for one in self._state.in_order():
            inputs = {key: UNKNOWN for key, needs in one.property_needs.items() if gone & set(needs)}
            if not inputs or one.urn in gone:
                continue
            if self._plugin.diff(one, Properties(values={**one.inputs, **inputs})).replaces:
                gone.add(one.urn)
                found.append(one)
        return found


def refuse_others(token: str, name: str) -> None:
    """Refuse resources that another provider makes.

    Raises:
        InfraError: it does.
    """
    if not token.startswith("sonarstack:"):
        raise InfraError(
            f"{name}: {token} is another provider's resource, which only Pulumi's engine can make; get it: make engine"
        )


def _kept(wanted: Wanted, id_: str, outputs: Properties, problems: list[str]) -> Kept:
    return Kept(
        urn=wanted.urn,
        id=id_,
        inputs=wanted.inputs.values,
        outputs=outputs.values,
        secrets=_secrets(outputs, wanted.inputs.secrets),
        needs=wanted.needs,
        property_needs=wanted.property_needs,
        problems=problems,
    )


def _secrets(outputs: Properties, others: frozenset[str] | list[str]) -> list[str]:
    return sorted({*outputs.secrets, *others})


def _named(one: Kept) -> str:
    return f"{one.name} ({one.token.rsplit(':', 1)[-1]})"


def _listed(keys: list[str]) -> str:
    return ", ".join(keys)
