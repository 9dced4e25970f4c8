"""The OpenAPI document: what FastAPI makes of the routes, with examples, problems and webhooks.

Examples stand beside the shapes (`examples.shown`); here they are put together to whole answers.
"""

import contextlib
import copy
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from twintill.domain.event_types import CATALOGUE
from twintill.web.event_shapes import ToldShape
from twintill.web.problem_codes import CODES, Code
from twintill.web.problems import MEDIA_TYPE, Problem

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = {"$ref": "#/components/schemas/ProblemShape"}
_JSON = "application/json"


class ProblemShape(BaseModel):
    """RFC 9457, with Stripe's `code` (for programs) and `param`; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None
    request_id: str


class NoExample(ValueError):
    """A field that no example shows."""


def complete(document: Json) -> Json:
    """A copy, with what FastAPI does not know."""
    document = copy.deepcopy(document)
    for shape in (ProblemShape, ToldShape):
        document["components"]["schemas"][shape.__name__] = shape.model_json_schema()
    for method, path, operation in operations(document):
        _problems(f"{method.upper()} {path}", operation)
        body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
        if body is not None:
            _show(document, body, path)
        for status, answer in operation["responses"].items():
            shown = answer.get("content", {}).get(_JSON)
            if status.startswith("2") and shown is not None:
                _show(document, shown, path)
    document["webhooks"] = {event: _webhook(event) for event in CATALOGUE}
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """(method, path, operation) of the REST API."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if path.startswith("/v1/") and method in item:
                yield method, path, item[method]


def example_of(document: Json, schema: Json, path: str = "") -> Any:
    """The schema's own example, filled up with those of its parts. Raises NoExample."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example_of(document, document["components"]["schemas"][name], path)
    for given in ("example", "const", "default"):
        if given in schema and schema.get("type") != "object":
            return schema[given]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema and not schema.get("examples"):
            return example_of(document, schema[union][0], path)
    if schema.get("type") == "object" and "properties" in schema:
        return _object(document, schema, path)
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "array":
        return [example_of(document, schema["items"], path)]
    if "enum" in schema:
        return schema["enum"][0]
    raise NoExample("no example shows it")


def _show(document: Json, content: Json, path: str) -> None:
    """A page without an example is better than none; a test asks for it."""
    with contextlib.suppress(NoExample):
        content["example"] = example_of(document, content["schema"], path)


def _object(document: Json, schema: Json, path: str) -> Json:
    own: Json = (schema.get("examples") or [schema.get("example", {})])[0]
    if schema.get("title", "").startswith("ListShape"):
        own = {"url": path, "has_more": False}
    fields = schema["properties"]
    shown = {name: _filled(document, fields.get(name, {}), its) for name, its in own.items()}
    for name, field in fields.items():
        always = name in schema.get("required", ()) or "const" in field
        if name not in shown and always:
            try:
                shown[name] = example_of(document, field, path)
            except NoExample as inner:
                if _may_be_null(field):
                    shown[name] = None
                    continue
                raise NoExample(f"{schema.get('title')}.{name}: {inner}") from None
    return shown


def _filled(document: Json, schema: Json, shown: Any) -> Any:
    """FastAPI drops what an example shows as null, at any depth: here it is again."""
    for option in schema.get("anyOf", ()):
        if "$ref" in option or option.get("type") == "array":
            return _filled(document, option, shown)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _filled(document, document["components"]["schemas"][name], shown)
    if isinstance(shown, list):
        return [_filled(document, schema.get("items", {}), one) for one in shown]
    if isinstance(shown, dict):
        needed = {n: f for n, f in schema.get("properties", {}).items() if _may_be_null(f)}
        return shown | {
            n: None for n in needed if n in schema.get("required", ()) and n not in shown
        }
    return shown


def _may_be_null(field: Json) -> bool:
    return {"type": "null"} in field.get("anyOf", ())


def _problems(call: str, operation: Json) -> None:
    """One answer for each status, naming the codes that may come with it."""
    operation["responses"].pop("default", None)
    operation["responses"].pop("422", None)
    by_status: dict[int, list[Code]] = {}
    for code in CODES:
        if code.may_come(call) and (code.status != 404 or "{" in call or call.startswith("POST")):
            by_status.setdefault(code.status, []).append(code)
    for status, codes in sorted(by_status.items()):
        words = "; ".join(f"`{code.name}`: {code.meaning.rstrip('.')}" for code in codes)
        shown = _shown(codes[0])
        operation["responses"][str(status)] = {
            "description": f"{HTTPStatus(status).phrase}. {words}.",
            "content": {MEDIA_TYPE: {"schema": _PROBLEM, "example": shown}},
        }


def _shown(code: Code) -> Json:
    return Problem(code.status, code.name, code.meaning).body("req_4Yk9n2bT7xQz1LmN8vRc3WpD")


def _webhook(event: str) -> Json:
    told = {
        "id": "evt_9xQz1LmN8vRc3WpD4Yk9n2bT",
        "type": event,
        "timestamp": "2026-11-22T12:00:00+00:00",
        "data": dict(CATALOGUE[event].example),
    }
    schema = {"$ref": "#/components/schemas/ToldShape"}
    return {
        "post": {
            "tags": ["events"],
            "summary": event,
            "description": CATALOGUE[event].when,
            "operationId": f"told_{event.replace('.', '_')}",
            "requestBody": {"content": {_JSON: {"schema": schema, "example": told}}},
            "responses": {"2XX": {"description": "It was heard; anything else is tried again."}},
        }
    }
