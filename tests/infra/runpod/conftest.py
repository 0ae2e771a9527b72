"""The contract, for every test of this folder."""

from tests.infra.runpod.contract import contract

__all__ = ["contract"]
