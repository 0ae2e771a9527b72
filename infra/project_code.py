"""What of the project's folder a training needs on a rented machine."""

CODE_EXCLUDES = (
    ".git", ".venv", ".pulumi", ".pulumi-passphrase", "Pulumi.*.yaml", "runs", "demo-out", "tiles", "tests",
    "benchmarks", "infra", "stacks", "docs", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis",
)  # fmt: skip
"""Not needed there; the first five would carry history, state or secrets."""
