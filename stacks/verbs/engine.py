"""python -m stacks engine: the pulumi program, fetched where it is missing."""


def engine() -> None:
    """Get the pulumi program by Pulumi's own installer, unless it is there."""
    from stacks.engine import install_engine
    from stacks.live import PROJECT
    from stacks.verbs.console import say

    say(f"pulumi: {install_engine(PROJECT)}")
