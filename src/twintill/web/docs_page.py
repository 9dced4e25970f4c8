"""/docs: the API's page, written on the server from the OpenAPI document: no script, no CDN."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

Json = dict[str, Any]
router = APIRouter(include_in_schema=False)

_STYLE = files("twintill.web").joinpath("static/docs.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}
_METHODS = ("get", "post", "delete", "put", "patch")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a shape."""

    name: str
    type: Markup
    required: bool
    description: Markup


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: Markup
    parameters: list[Field]
    body: list[Field]
    answer: Markup | None
    example: str
    answered: str | None  # an example of it
    problems: list[tuple[str, Markup]]  # status, what may come with it


@dataclass(frozen=True, slots=True)
class Event:
    """One event that the app may be told of."""

    name: str
    description: Markup
    example: str


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape that calls take or answer."""

    name: str
    description: Markup
    fields: list[Field]


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """For people; programs read /openapi.json."""
    document = json.dumps(request.app.openapi())
    return HTMLResponse(_page(document), headers=_HEADERS)


@lru_cache(maxsize=2)
def _page(document: str) -> str:
    api: Json = json.loads(document)
    templates = Environment(
        loader=PackageLoader("twintill.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups: dict[str, list[Call]] = {}
    for call, tag in _calls(api):
        groups.setdefault(tag, []).append(call)
    return templates.get_template("docs.html").render(
        style=Markup(_STYLE),  # noqa: S704 -- our own file
        title=api["info"]["title"],
        version=api["info"]["version"],
        summary=api["info"].get("summary", ""),
        groups=groups,
        events=[_event(name, item["post"]) for name, item in api["webhooks"].items()],
        shapes=list(_shapes(api)),
    )


def _calls(api: Json) -> Iterator[tuple[Call, str]]:
    for path, item in api["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                yield _call(api, path, method, operation), (operation.get("tags") or ["other"])[0]


def _call(api: Json, path: str, method: str, operation: Json) -> Call:
    body = _json_of(operation.get("requestBody", {}))
    success: Json = next((v for k, v in operation["responses"].items() if k.startswith("2")), {})
    answer = _json_of(success)
    return Call(
        id=re.sub(r"\W+", "-", f"{method} {path}").strip("-"),
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=_paragraph(operation.get("description", "")),
        parameters=[
            Field(p["name"], _type(p["schema"]), p.get("required", False), _said(p))
            for p in operation.get("parameters", ())
            if p["in"] in ("query", "path")
        ],
        body=_fields(_resolved(api, body)) if body else [],
        answer=_type(answer) if answer else None,
        example=_example(path, method, _example_in(operation.get("requestBody", {}))),
        answered=_as_json(_example_in(success)),
        problems=[
            (status, _paragraph(problem["description"]))
            for status, problem in operation["responses"].items()
            if status.startswith(("4", "5")) and path.startswith("/v1/")
        ],
    )


def _json_of(content: Json) -> Json:
    schema: Json = content.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _example_in(content: Json) -> Any:
    return content.get("content", {}).get("application/json", {}).get("example")


def _as_json(example: Any) -> str | None:
    return None if example is None else json.dumps(example, indent=2)


def _event(name: str, operation: Json) -> Event:
    example = _as_json(_example_in(operation["requestBody"])) or ""
    return Event(name, _paragraph(operation["description"]), example)


def _shapes(api: Json) -> Iterator[Shape]:
    for name, schema in sorted(api.get("components", {}).get("schemas", {}).items()):
        words = schema.get("description", "")
        if "enum" in schema:
            words = f"{words} One of: {', '.join(f'`{value}`' for value in schema['enum'])}."
        yield Shape(_shown(name), _paragraph(words), _fields(schema))


def _fields(schema: Json) -> list[Field]:
    required = set(schema.get("required", ()))
    return [
        Field(name, _type(field), name in required, _said(field))
        for name, field in schema.get("properties", {}).items()
    ]


def _resolved(api: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Json = api["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _type(schema: Json) -> Markup:
    """In words, with links to the shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#shape-{0}">{0}</a>').format(_shown(name))
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return Markup(" or ").join(_type(option) for option in schema[union])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_type(schema.get("items", {})))
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    if "enum" in schema:
        return escape(" | ".join(map(str, schema["enum"])))
    return escape(schema.get("type", "any"))


def _shown(name: str) -> str:
    return re.sub(r"Shape_?", "", name).rstrip("_") or name


def _said(field: Json) -> Markup:
    words = field.get("description", "")
    default = field.get("schema", field).get("default")
    if default not in (None, "", [], {}):
        words = f"{words} Default: `{json.dumps(default)}`."
    return _paragraph(words)


def _paragraph(text: str) -> Markup:
    """One paragraph; what stands between backticks is code."""
    plain = str(escape(" ".join(text.split())))  # of a Markup, re.sub would escape the tags
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", plain))  # noqa: S704 -- escaped above


def _example(path: str, method: str, body: Any) -> str:
    lines = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} $TWINTILL{path}"]
    if path.startswith("/v1/"):
        lines.append('-H "Authorization: Bearer $KEY"')
    if method == "post" and path.startswith("/v1/"):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body, indent=2)}'"]
    return " \\\n  ".join(lines)
