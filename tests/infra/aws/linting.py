"""A linter of IAM documents (parliament), which carries AWS's own list of actions and judges without a network."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def lint(document: str) -> list[Any]:
    """Findings, each with `issue`, `detail`, `location`; skips where parliament is absent."""
    _stand_in_for_pkg_resources()
    parliament = pytest.importorskip("parliament", reason="needs parliament: pip install 'sonarstack[dev]'")
    policy = parliament.analyze_policy_string(document)
    return [parliament.enhance_finding(finding) for finding in policy.findings]


def _stand_in_for_pkg_resources() -> None:
    """parliament 1.6 asks it for the path of its own files; setuptools has it no more since version 82."""
    if importlib.util.find_spec("pkg_resources") is not None:
        return
    module = ModuleType("pkg_resources")
    module.resource_filename = _resource_filename  # type: ignore[attr-defined]
    module.__spec__ = importlib.util.spec_from_loader("pkg_resources", loader=None)
    sys.modules["pkg_resources"] = module


def _resource_filename(package: str, name: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).with_name(name))
