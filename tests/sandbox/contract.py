"""Checks every request and every answer of the sandbox Stripe against Stripe's own OpenAPI files.

Wrap the application (`ContractChecker(create_app(...))`), serve it, and at the end assert that
`violations` is empty. Two descriptions are asked: a newer one made from the official client, and
an older one as Stripe published it, which is stricter about the names of parameters.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Awaitable, Callable, Hashable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from twintill.sandbox.stripe.forms import decode_form

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Json = dict[str, Any]

DATA = Path(__file__).parents[1] / "data" / "stripe"
NEWEST = "openapi-subset.json"
OFFICIAL = "openapi-official-2026-05-27.dahlia.pruned.json"
# Calls that the sandbox answers and neither file describes.
UNDESCRIBED = re.compile(
    r"GET /v1/(account|payment_intents/[^/]+|customers/[^/]+/subscriptions)\Z"
    r"|[A-Z]+ /v1/coupons(/[^/]+)?\Z"
)
# Stripe sends it only when it is asked for (docs, 2026-05-27), whatever its older file says.
NOT_REALLY_REQUIRED = {"amount_paid_off_stripe"}


OLD_VERSION = "2011-01-01"


class ContractChecker:
    """ASGI middleware that lets everything pass and writes down what does not fit."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.violations: list[str] = []
        self.checked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        await self.app(scope, exchange.receive, exchange.send)
        if exchange.is_complete:
            self._check(scope, exchange)

    def check_object(self, obj: Json, where: str) -> None:
        """An object that travels otherwise: in an event."""
        for name in (NEWEST, OFFICIAL):
            description = _description(name)
            if obj["object"] in description.schemas:
                errors = description.errors_of(("schema", obj["object"]), obj)
                self.violations += [f"{where}: {error} [{name}]" for error in errors]
                self.checked += 1

    def _check(self, scope: Scope, exchange: _Exchange) -> None:
        method, path = scope["method"], scope["path"]
        call, status = f"{method} {path}", exchange.status
        if status == 501 or UNDESCRIBED.match(call):
            return
        operations = [
            (name, operation)
            for name in (NEWEST, OFFICIAL)
            if (operation := _description(name).find(method, path)) is not None
        ]
        if not operations and status < 400:
            self.violations.append(f"{call}: neither description has this call")
        query = scope["query_string"].decode()
        sent = exchange.sent.decode() if method == "POST" else query
        for name, key in operations:
            problems = list(_request_errors(name, key, sent)) if status < 400 else []
            problems += _response_errors(name, key, status, json.loads(exchange.answer))
            self.violations += [f"{call}: {problem} [{name}]" for problem in problems]
            self.checked += 1


class _Exchange:
    """One request and its answer, kept while they pass."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        # Cutting a connection needs the server's transport; let it through.
        self.transport = getattr(getattr(send, "__self__", None), "transport", None)
        self.sent, self.answer, self.status = b"", b"", 0
        self.is_complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.sent += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.answer += message.get("body", b"")
            self.is_complete = not message.get("more_body", False)
        await self._send(message)


class _Description:
    """One OpenAPI file, with a validator per schema kept for the next use."""

    def __init__(self, name: str) -> None:
        raw = json.loads((DATA / name).read_text())
        self._uri = f"urn:stripe:{name}"
        self._document = _rewrite(raw, self._uri)
        self.schemas: Json = self._document["components"]["schemas"]
        resource = DRAFT202012.create_resource(self._document)
        self._registry: Registry[Any] = Registry().with_resource(self._uri, resource)
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z"), path, operations)
            for path, operations in raw["paths"].items()
        ]
        self._validators: dict[tuple[str, ...], OAS31Validator] = {}
        self._matters = _Matters(self._document)
        self._passed: set[tuple[tuple[str, ...], Hashable]] = set()

    def find(self, method: str, path: str) -> tuple[str, str] | None:
        """The operation's path template and method; a literal path goes before a pattern."""
        found = [
            template
            for pattern, template, operations in self._paths
            if method.lower() in operations and pattern.match(path)
        ]
        if not found:
            return None
        return min(found, key=lambda template: template.count("{")), method.lower()

    def operation(self, key: tuple[str, str]) -> Json:
        operation: Json = self._document["paths"][key[0]][key[1]]
        return operation

    def errors_of(self, key: tuple[str, ...], value: Any) -> list[str]:
        """What is shaped like something that passed is not looked at again: it takes its time."""
        shape = self._matters.shape(value)
        if (key, shape) in self._passed:
            return []
        errors = self._errors_of(key, value)
        if not errors:
            self._passed.add((key, shape))
        return errors

    def _errors_of(self, key: tuple[str, ...], value: Any) -> list[str]:
        validator = self._validators.get(key)
        if validator is None:
            validator = OAS31Validator(self._schema(key), registry=self._registry)
            self._validators[key] = validator
        errors = validator.iter_errors(value)
        return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in errors]

    def _schema(self, key: tuple[str, ...]) -> Json:
        if key[0] == "schema":
            return {"$ref": f"{self._uri}#/components/schemas/{key[1]}"}
        operation = self.operation((key[1], key[2]))
        if key[0] == "request":
            return request_schema(operation, key[2])
        answer: Json = operation["responses"]["200" if key[0] == "ok" else "default"]
        schema: Json = answer["content"]["application/json"]["schema"]
        return schema


class _Matters:
    """What of a value its schemas tell apart: everything but which free text or number it is."""

    def __init__(self, document: Json) -> None:
        found: dict[str, list[Any]] = {}
        for keyword, rule in _rules(document):
            found.setdefault(keyword, []).append(rule)
        assert not found.keys() & {"minLength", "minimum", "maximum", "minItems", "maxItems"}
        self._words = {word for words in found["enum"] for word in words}
        self._lengths = sorted(set(found.get("maxLength", ())))
        self._patterns = sorted(set(found.get("pattern", ())))

    def shape(self, value: Any) -> Hashable:
        if isinstance(value, dict):
            return tuple(sorted((key, self.shape(inner)) for key, inner in value.items()))
        if isinstance(value, list):
            return frozenset(map(self.shape, value))
        if not isinstance(value, str):
            return value if isinstance(value, bool | None) else type(value).__name__
        if value in self._words:
            return f"={value}"
        fits = [pattern for pattern in self._patterns if re.search(pattern, value)]
        return f"text {bisect.bisect_left(self._lengths, len(value))} {fits}"


def _rules(node: Any) -> Iterator[tuple[str, Any]]:
    """Every keyword of every schema, with its rule; what is a table is a property of that name."""
    if isinstance(node, dict):
        yield from ((k, rule) for k, rule in node.items() if not isinstance(rule, dict))
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, dict | list):
            yield from _rules(inner)


@functools.cache
def _description(name: str) -> _Description:
    return _Description(name)


def request_schema(operation: Json, method: str) -> Json:
    """The form's schema, or one made of the query's parameters."""
    body = operation.get("requestBody")
    if body and method == "post":
        schema: Json = next(iter(body["content"].values()))["schema"]
        return schema
    query = [p for p in operation.get("parameters", []) if p["in"] == "query"]
    return {
        "type": "object",
        "properties": {p["name"]: p["schema"] for p in query},
        "required": [p["name"] for p in query if p.get("required")],
        "additionalProperties": False,
    }


def _request_errors(name: str, key: tuple[str, str], sent: str) -> Iterator[str]:
    description = _description(name)
    schema = request_schema(description.operation(key), key[1])
    read = _typed(schema, decode_form(sent))
    for error in description.errors_of(("request", *key), read):
        yield f"request {error}"


def _response_errors(name: str, key: tuple[str, str], status: int, body: Any) -> Iterator[str]:
    if status < 400 and body.get("deleted") is True:
        if set(body) != {"id", "object", "deleted"}:
            yield "answer: a deleted object is shown by id, object and deleted alone"
        return
    kind = "ok" if status < 400 else "error"
    for error in _description(name).errors_of((kind, *key), body):
        yield f"answer {status} {error}"


def _typed(schema: Json, value: Any) -> Any:
    """A form's strings as the schema means them."""
    if "anyOf" in schema:
        return _typed_any(schema["anyOf"], value)
    kind = schema.get("type")
    if kind == "array" and isinstance(value, dict):
        return [_typed(schema.get("items", {}), value[k]) for k in sorted(value, key=int)]
    if kind == "object" and isinstance(value, dict):
        properties = schema.get("properties", {})
        return {k: _typed(properties.get(k, {}), inner) for k, inner in value.items()}
    if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _typed_any(options: list[Json], value: Any) -> Any:
    """The first reading that changes something or fits a string or a table as it is."""
    wanted = "object" if isinstance(value, dict) else "string"
    for option in options:
        if wanted == "object" and option.get("type") in ("object", "array"):
            keys = set(value)
            is_list = bool(keys) and all(key.isdigit() for key in keys)
            if (option["type"] == "array") == is_list:
                return _typed(option, value)
    for option in options:
        read = _typed(option, value)
        if read is not value:
            return read
    return value


def _rewrite(node: Any, uri: str) -> Any:
    """OpenAPI 3.0's `nullable` as a type, and references that name their document."""
    if isinstance(node, list):
        return [_rewrite(inner, uri) for inner in node]
    if not isinstance(node, dict):
        return node
    result = {key: _rewrite(inner, uri) for key, inner in node.items() if key != "nullable"}
    if isinstance(result.get("$ref"), str):
        result["$ref"] = uri + result["$ref"]
    if OLD_VERSION in result.get("enum", ()):
        del result["enum"]  # the list of API versions ends where its file does
    if isinstance(result.get("required"), list):
        result["required"] = [n for n in result["required"] if n not in NOT_REALLY_REQUIRED]
    if node.get("nullable") is True:
        return {"anyOf": [result, {"type": "null"}]}
    return result
