"""The two modules of cloud-init that our start text uses, as a program: `first_boot.py TEXT` writes and runs for real.

After cloud-init 22.4's own cc_write_files, cc_runcmd and util.shellify (read 2026-11): files first, each with its
permissions, parents made; then one shell script of all commands, whose last code is the script's. A word that it does
not know is an error here, where cloud-init would pass over it.
"""

import base64
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


def write(path: Path, *, permissions: str, encoding: str, content: str) -> None:
    if encoding != "gz+b64":
        raise ValueError(f"encoding {encoding!r} of {path}")
    text = gzip.decompress(base64.b64decode(content, validate=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    path.chmod(int(permissions, 8))


def script(commands: list[list[str]]) -> str:
    quoted = [" ".join("'" + word.replace("'", "'\\''") + "'" for word in words) for words in commands]
    return "#!/bin/sh\n" + "".join(f"{line}\n" for line in quoted)


def boot(text: str) -> int:
    first, _, rest = text.partition("\n")
    if first != "#cloud-config":
        raise ValueError(f"the first line is {first!r}")
    content: dict[str, Any] = yaml.safe_load(rest)
    if unknown := content.keys() - {"write_files", "runcmd"}:
        raise ValueError(f"modules {sorted(unknown)}")
    for one in content["write_files"]:
        write(Path(one.pop("path")), **one)
    return subprocess.run(["sh", "-c", script(content["runcmd"])], check=False).returncode


if __name__ == "__main__":
    sys.exit(boot(Path(sys.argv[1]).read_text()))
