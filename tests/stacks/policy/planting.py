"""Mistakes planted into what a program declares: one input of one resource changed, the rest as it was."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stacks.mock_run import Declared
from stacks.policy.subject import Rule, Subject, broken

Inputs = dict[str, Any]


def subject_of(one: Declared, provider_tags: Mapping[str, Any] | None = None) -> Subject:
    """As the engine would show it to the pack."""
    return Subject(
        urn=one.urn,
        token=one.token,
        name=one.name,
        inputs=one.inputs,
        after=one.after,
        provider_tags=provider_tags,
    )


def told(rules: Sequence[Rule], subjects: Mapping[str, Subject]) -> list[tuple[str, str, str]]:
    """Rule, resource and sentence of every finding."""
    return [(rule.name, subject.name, text) for rule, subject, text in broken(rules, list(subjects.values()))]


def changed(
    subjects: Mapping[str, Subject], name: str, change: Callable[[Inputs], object]
) -> dict[str, Subject]:
    inputs = copy.deepcopy(dict(subjects[name].inputs))
    change(inputs)
    return {**subjects, name: replace(subjects[name], inputs=inputs)}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key of every map and every number of every list in it, with what it is in."""
    for key in (
        list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from places(value[key])
