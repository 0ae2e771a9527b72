"""The seven mistakes that stop an `up`, by the names that every cloud's rules have; and the rules of all clouds as one.

How a mistake looks is said in each cloud's folder, as `ENCRYPTED_STORAGE(one=..., whole=...)`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from stacks.policy.subject import Found, Rule, Subject

ENCRYPTED_STORAGE = partial(
    Rule,
    name="encrypted-storage",
    description="What is written down is encrypted by a key of the stack.",
)
NO_PUBLIC_INGRESS = partial(
    Rule, name="no-public-ingress", description="No machine is reached from an address of the internet."
)
NO_PUBLIC_BUCKET = partial(
    Rule, name="no-public-bucket", description="No bucket or container is read or written by strangers."
)
NO_WILDCARD_RIGHTS = partial(
    Rule,
    name="no-wildcard-rights",
    description="Rights are spelt out: no wildcards, nobody who is everybody.",
)
STAMP_ON_EVERYTHING = partial(
    Rule, name="stamp-on-everything", description="Whatever the cloud can tag carries the stack's stamp."
)
LEASE_ON_MACHINES = partial(
    Rule, name="lease-on-machines", description="Whatever rents a machine says until when."
)
RIGHTS_BY_TOKEN = partial(
    Rule,
    name="rights-by-token",
    description="Rights come by a token of one's own: no IMDSv1, no shared key, no password.",
)


def joined(clouds: Iterable[Sequence[Rule]]) -> list[Rule]:
    """One rule a name, since an engine takes no second; a cloud's rules find nothing in what another declares."""
    named: dict[str, list[Rule]] = {}
    for rule in (rule for rules in clouds for rule in rules):
        named.setdefault(rule.name, []).append(rule)
    return [_one_of(rules) for rules in named.values()]


def _one_of(rules: Sequence[Rule]) -> Rule:
    singles = [rule.one for rule in rules if rule.one is not None]
    wholes = [rule.whole for rule in rules if rule.whole is not None]

    def one(subject: Subject) -> Iterator[str]:
        for single in singles:
            yield from single(subject)

    def whole(subjects: Sequence[Subject]) -> Iterator[Found]:
        for every in wholes:
            yield from every(subjects)

    return Rule(
        name=rules[0].name,
        description=rules[0].description,
        one=one if singles else None,
        whole=whole if wholes else None,
    )
