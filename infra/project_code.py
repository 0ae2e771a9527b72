"""What of the project's folder a training needs on a machine of its own: this, and nothing that lies beside it."""

from pathlib import Path

from infra.hosts.tree import local_tree, tree_digest

CODE = (
    "app", "images", "main.py", "pyproject.toml", "README.md", "setup.sh",
    "requirements.txt", "requirements-cpu.txt", "requirements-cloud.txt", "requirements-dev.txt",
)  # fmt: skip
"""Names in the project's folder. People keep keys, surveys and results there too, which are not the machine's."""
CODE_EXCLUDES = (".venv", "*.egg-info", "__pycache__", ".*_cache")
"""What a machine makes for itself within them, or beside them in its own folder."""


def code_digest(project: Path) -> str:
    """Changes with what is sent, and with nothing else in the folder."""
    return tree_digest(local_tree(project, CODE_EXCLUDES, only=CODE))
