"""What a rule looks at, and what a rule is; the same for every cloud."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class Unknown:
    """A value that only `up` tells; the engine asks again then, before the resource is made."""

    def __repr__(self) -> str:
        return "[known only after up]"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One resource as it is declared."""

    urn: str
    token: str
    """Such as aws:ec2/vpc:Vpc, or azure-native:compute:VirtualMachine."""
    name: str
    inputs: Mapping[str, Any]
    """camelCase; `UNKNOWN` for what is not known yet."""
    after: Sequence[str] = ()
    """urns of what it depends on."""
    provider_tags: Mapping[str, Any] | Unknown | None = None
    """That its provider puts on everything."""

    @property
    def kind(self) -> str:
        """Such as ec2/vpc, or compute/VirtualMachine; of whatever version of Azure's interface."""
        if self.token.count(":") != 2:
            return self.token
        _, module, word = self.token.split(":")
        module = re.sub(r"/v\d{8}(preview)?$", "", module)
        return module if "/" in module else f"{module}/{word}"

    def given(self, key: str) -> bool:
        """Whether an input is there; one that is not known yet is."""
        return self.inputs.get(key) not in (None, "", [], {})


Found = tuple[Subject, str]
"""Whose mistake, and in one sentence what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One mistake that stops an `up`."""

    name: str
    description: str
    one: Callable[[Subject], Iterable[str]] | None = None
    """Of a resource alone: asked before each is made."""
    whole: Callable[[Sequence[Subject]], Iterable[Found]] | None = None
    """Of what belongs together: asked at the end of the preview."""


def broken(rules: Iterable[Rule], subjects: Sequence[Subject]) -> Iterator[tuple[Rule, Subject, str]]:
    """Every rule that is broken, by whom, and the sentence."""
    for rule in rules:
        if rule.one is not None:
            for subject in subjects:
                yield from ((rule, subject, text) for text in rule.one(subject))
        if rule.whole is not None:
            yield from ((rule, *found) for found in rule.whole(subjects))


def is_true(value: Any) -> bool:
    """A yes, also as text; what is not known yet is judged later."""
    return value is True or value is UNKNOWN or (isinstance(value, str) and value.lower() == "true")


def parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """The maps of a list, or of a single one."""
    for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
        if isinstance(one, Mapping):
            yield one


def is_hidden(value: Any) -> bool:
    """Whether it is not known yet how many there are, or what one of them is."""
    return value is UNKNOWN or (isinstance(value, Sequence) and any(one is UNKNOWN for one in value))
