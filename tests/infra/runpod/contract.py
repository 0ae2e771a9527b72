"""Runpod's published contract as a judge of both sides: what we send, and what a stand-in answers."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "api" / "runpod-v2.openapi.json"
ASSUMED = {"cursor"}
"""What we may send beyond the contract: the next page of a list that has pages."""


class Contract:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry = Registry().with_resource(
            "urn:rp", Resource(contents=document, specification=DRAFT202012)
        )

    def check(self, schema: str, value: object) -> None:
        self._check({"$ref": f"urn:rp#/components/schemas/{schema}"}, value)

    def example(self, path: str, method: str = "get", code: str = "200") -> Any:
        content = self.document["paths"][path][method]["responses"][code]["content"]["application/json"]
        return next(iter(content["examples"].values()))["value"]

    def operation(self, method: str, path: str) -> str:
        """The path of the contract that a path is, such as /v2/pods/{id}; one without braces goes first."""
        for known in sorted(self.document["paths"], key=lambda one: one.count("{")):
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path):
                assert method.lower() in self.document["paths"][known], (
                    f"{method} {known} is not in the contract"
                )
                return known
        raise AssertionError(f"{path} is not in the contract")

    def check_request(self, request: httpx.Request) -> str:
        """A request of ours: its path, method, parameters and body; answers the contract's path."""
        path = self.operation(request.method, request.url.raw_path.decode().partition("?")[0])
        operation = self.document["paths"][path][request.method.lower()]
        assert request.headers["Authorization"].startswith("Bearer ")
        known = {one["name"]: one for one in map(self._resolved, operation.get("parameters", ()))}
        for name, text in request.url.params.multi_items():
            if name not in ASSUMED:
                assert name in known, f"{path} has no parameter {name}"
                self._check_parameter(known[name]["schema"], unquote(text))
        body = operation.get("requestBody")
        if body is None:
            assert not request.content, f"{request.method} {path} has no body"
        else:
            self._check(body["content"]["application/json"]["schema"], json.loads(request.content))
        return path

    def _resolved(self, parameter: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in parameter:
            return parameter
        return self.document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]

    def _check_parameter(self, schema: dict[str, Any], text: str) -> None:
        kind = schema.get("type")
        value: object = text.split(",") if kind == "array" else int(text) if kind == "integer" else text
        self._check(schema, value)

    def _check(self, schema: dict[str, Any], value: object) -> None:
        # References inside the document are those of the document.
        whole = json.loads(json.dumps(schema).replace('"#/components', '"urn:rp#/components'))
        jsonschema.Draft202012Validator(whole, registry=self._registry).validate(value)


def at_hand() -> Contract | None:
    return Contract(json.loads(CONTRACT.read_text())) if CONTRACT.is_file() else None


@pytest.fixture(scope="session")
def contract() -> Contract:
    found = at_hand()
    if found is None:
        pytest.skip(f"Runpod's contract is not at hand ({CONTRACT})")
    return found
