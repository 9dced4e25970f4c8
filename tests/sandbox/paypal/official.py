"""Holds every request and answer of the stand-in PayPal against PayPal's own OpenAPI files.

They are of 2024 and older than the live API: what is known to be newer is listed here.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

Json = dict[str, Any]
FILES = ("paypal-vault-v3.1", "paypal-orders-v2.13", "paypal-payments-v2.5")
NEWER = re.compile(
    r"'SETUP_TOKEN' is not one of \['BILLING_AGREEMENT'\]"
    r"|'DECLINED_BY_RISK_FRAUD_FILTERS' is not one of"
    # Of an error's details: its sentences are not copied here; its issue is looked at by itself.
    r"|is not valid under any of the given schemas"
)
NEWER_ISSUES = {
    "CURRENCY_NOT_SUPPORTED",
    "DECIMALS_NOT_SUPPORTED",
    "DUPLICATE_REQUEST_ID",
    "PAYER_ACTION_REQUIRED",
    "PREVIOUS_REQUEST_IN_PROGRESS",
    "TOKEN_ID_NOT_FOUND",
}


def folder() -> Path | None:
    shared = os.environ.get("TWINTILL_SHARED")
    found = Path(shared or "/nowhere") / "processor-specs"
    return found if found.is_dir() else None


class Official:
    """Notes what does not fit; nothing is checked where the files are not at hand."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.checked = 0

    def look_at(self, answer: httpx.Response) -> None:
        request = answer.request
        method, path = request.method.lower(), request.url.path
        for name in FILES if folder() else ():
            operation = _operation(name, method, path)
            if operation is None:
                continue
            self.checked += 1
            what = f"{request.method} {path} -> {answer.status_code}"
            if answer.is_success and request.content:
                schema = _request_schema(operation)
                self._check(name, schema, json.loads(request.content), f"{what} (request)")
            schema, is_known = _answer_schema(operation, answer.status_code)
            if not is_known:
                self.violations.append(f"{what}: no such status")
            elif schema is not None:
                self._check(name, schema, answer.json(), what)
                self._check_issues(name, schema, answer.json(), what)

    def _check_issues(self, name: str, schema: Json, body: Json, what: str) -> None:
        """Each issue is one that PayPal documents for this answer."""
        documented: set[str] = set()
        for reference in re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(schema)):
            _collect(_document(name)["components"]["schemas"][reference], documented)
        for detail in body.get("details", ()):
            if documented and detail["issue"] not in documented | NEWER_ISSUES:
                self.violations.append(f"{what}: {detail['issue']} is not documented")

    def _check(self, name: str, schema: Json | None, body: object, what: str) -> None:
        if schema is None:
            return
        for error in _validator(name, json.dumps(schema)).iter_errors(body):
            if not NEWER.search(error.message):
                where = "/".join(str(part) for part in error.absolute_path)
                self.violations.append(f"{what}: {where}: {error.message[:200]}")


def _collect(part: object, found: set[str]) -> None:
    if isinstance(part, list):
        for one in part:
            _collect(one, found)
    elif isinstance(part, dict):
        if isinstance(part.get("issue"), dict):
            found.update(part["issue"].get("enum", ()))
        for one in part.values():
            _collect(one, found)


@functools.cache
def _document(name: str) -> Json:
    where = folder()
    assert where is not None
    document: Json = json.loads((where / f"{name}.pruned.json").read_text())
    return document


def _operation(name: str, method: str, path: str) -> Json | None:
    for template, operations in _document(name)["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if method in operations and re.fullmatch(pattern, path):
            operation: Json = operations[method]
            return operation
    return None


def _request_schema(operation: Json) -> Json | None:
    content = operation.get("requestBody", {}).get("content", {})
    return next((one["schema"] for one in content.values()), None)


def _answer_schema(operation: Json, status: int) -> tuple[Json | None, bool]:
    # Every operation may fail as a whole; most name no 401 or 409 of their own.
    answer = operation["responses"].get(str(status))
    if answer is None:
        return None, status in (401, 404, 409, 429, 500)
    return next((one["schema"] for one in _contents(answer)), None), True


def _contents(answer: Json) -> Iterator[Json]:
    yield from answer.get("content", {}).values()


@functools.cache
def _validator(name: str, schema: str) -> OAS30Validator:
    resource = DRAFT4.create_resource(_document(name))
    registry: Registry[Any] = Registry().with_resource("urn:file", resource)
    return OAS30Validator(_absolute(json.loads(schema)), registry=registry)


def _absolute(part: Any) -> Any:
    """References into the file, from outside of it."""
    if isinstance(part, list):
        return [_absolute(one) for one in part]
    if isinstance(part, dict):
        return {
            key: f"urn:file{value}" if key == "$ref" else _absolute(value)
            for key, value in part.items()
        }
    return part
