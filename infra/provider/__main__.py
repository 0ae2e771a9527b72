"""Started by Pulumi's engine with its address; prints the port it listens on, and nothing else, on standard output."""

import sys
from pathlib import Path

# The engine runs this folder, from which `infra` is not in sight unless the project is installed.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from infra.provider.serve import serve  # noqa: E402 the path comes first

if __name__ == "__main__":
    serve(sys.stdout, sys.argv[-1] if len(sys.argv) > 1 else None)
