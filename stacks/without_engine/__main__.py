"""python -m stacks.without_engine up|refresh|destroy FOLDER STACK: the plugin in the engine's order, for rehearsals."""

import sys
from pathlib import Path

from infra.errors import InfraError
from stacks.without_engine.verbs import destroy, refresh, up

VERBS = {"up": up, "refresh": refresh, "destroy": destroy}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    if len(words) != 3 or words[0] not in VERBS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        VERBS[words[0]](Path(words[1]).absolute(), words[2], say)
    except InfraError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
