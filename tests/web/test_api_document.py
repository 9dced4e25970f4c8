"""The API's document is complete: each call says what it is, shows examples, and how it fails."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from tests.web.document import DOCUMENT
from twintill.domain.event_types import CATALOGUE
from twintill.flows.evidence import KINDS
from twintill.web.openapi import example_of, operations
from twintill.web.problem_codes import CODES, ELSEWHERE

CALLS = {f"{m.upper()} {path}": call for m, path, call in operations(DOCUMENT)}
SOURCE = Path(__file__).parents[2] / "src" / "twintill"
FILES = set(KINDS)
DOORS = ("errors.py", "web", "flows", "domain/person.py", "domain/refund_asks.py")


def contents(call: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(what, its content) of the request and of the successes; all but files are JSON."""
    found = [("request", call["requestBody"]["content"])] if "requestBody" in call else []
    found += [(s, a["content"]) for s, a in call["responses"].items() if s.startswith("2")]
    return [(w, content["application/json"]) for w, content in found if not FILES & set(content)]


@pytest.mark.parametrize("name", CALLS)
def test_each_call_says_what_it_is_and_shows_what_it_takes_and_answers(name: str) -> None:
    call = CALLS[name]
    assert call["summary"]
    assert call["description"]
    for what, content in contents(call):
        # Raises NoExample with the field: give its shape `model_config = shown(...)`.
        assert content.get("example") == example_of(DOCUMENT, content["schema"], name.split()[1])
        fits(content["example"], content["schema"], f"{name}: {what}")


@pytest.mark.parametrize("name", CALLS)
def test_each_thing_that_may_be_sent_says_what_it_is(name: str) -> None:
    call = CALLS[name]
    silent = [p["name"] for p in call.get("parameters", []) if not _is_described(p)]
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    assert silent + list(_silent_fields(body.get("schema", {}))) == []


def _is_described(parameter: dict[str, Any]) -> bool:
    """An id in the path is what its name says."""
    return parameter["in"] == "path" or bool(parameter.get("description"))


def _silent_fields(schema: dict[str, Any]) -> Iterator[str]:
    """Also of what is inside; named by what has no description."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for inner in (*schema.get("anyOf", ()), schema.get("items", {})):
        yield from _silent_fields(inner) if inner else ()
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield name
        yield from _silent_fields(field)


@pytest.mark.parametrize("name", CALLS)
def test_each_call_says_how_it_fails(name: str) -> None:
    problems = {s: a for s, a in CALLS[name]["responses"].items() if not s.startswith("2")}
    assert {"400", "401", "403", "422", "500", "503"} <= set(problems)
    assert ("404" in problems) or "{" not in name
    for status, answer in problems.items():
        content = answer["content"]["application/problem+json"]
        assert content["example"]["status"] == int(status)
        fits(content["example"], content["schema"], f"{name}: {status}")


@pytest.mark.parametrize("event", CATALOGUE)
def test_each_event_is_a_webhook_with_an_example(event: str) -> None:
    told = DOCUMENT["webhooks"][event]["post"]["requestBody"]["content"]["application/json"]
    assert told["example"]["data"] == CATALOGUE[event].example
    fits(told["example"], told["schema"], event)


def test_each_code_of_a_problem_is_in_the_catalogue() -> None:
    """A new one: enter it in web/problem_codes.py, with the calls that answer it."""
    files = [f for door in DOORS for f in sorted((SOURCE / door).rglob("*.py"))]
    files += [SOURCE / door for door in DOORS if door.endswith(".py")]
    raised = re.compile(
        r"(?:Problem\(\s*\d+,\s*|\bRefused\(\s*|(?:Error|Request|Refused)\([^()]*"
        r'(?:\([^()]*\)[^()]*)*\bcode=|code: str = )"([a-z_]+)"'
    )
    found = {code for file in files for code in raised.findall(file.read_text())}
    assert len(found) > 30
    assert found <= {code.name for code in (*CODES, *ELSEWHERE)}


def test_the_page_about_the_api_tells_each_code() -> None:
    page = (SOURCE.parents[1] / "docs" / "api.md").read_text()
    assert not [code.name for code in (*CODES, *ELSEWHERE) if f"`{code.name}`" not in page]


def fits(example: Any, schema: dict[str, Any], what: str) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    broken = [f"{e.json_path}: {e.message}" for e in OAS31Validator(whole).iter_errors(example)]
    assert not broken, what
