"""Runpod's published contract as a judge of both sides: what we send, and what a stand-in answers."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "api" / "runpod-v2.openapi.json"


class Contract:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry = Registry().with_resource(
            "urn:rp", Resource(contents=document, specification=DRAFT202012)
        )

    def check(self, schema: str, value: object) -> None:
        reference = {"$ref": f"urn:rp#/components/schemas/{schema}"}
        jsonschema.Draft202012Validator(reference, registry=self._registry).validate(value)

    def example(self, path: str, method: str = "get", code: str = "200") -> Any:
        content = self.document["paths"][path][method]["responses"][code]["content"]["application/json"]
        return next(iter(content["examples"].values()))["value"]


@pytest.fixture(scope="session")
def contract() -> Contract:
    if not CONTRACT.is_file():
        pytest.skip(f"Runpod's contract is not at hand ({CONTRACT})")
    return Contract(json.loads(CONTRACT.read_text()))
