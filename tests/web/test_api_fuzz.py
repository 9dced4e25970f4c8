"""The API against requests that nobody thought of: no 5xx, each answer as the document says.

Bounded and the same at each run; `make api-fuzz` tries more, with another seed each time.
"""

import copy
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import BaseSchema

from tests.postgres import Databases
from tests.web.document import DOCUMENT
from tests.web.serving import Served, serving
from twintill.web.openapi import operations

EXAMPLES = int(os.environ.get("TWINTILL_API_EXAMPLES", "3"))
SEED = os.environ.get("TWINTILL_API_SEED")
CALLS = sorted(
    (method, path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if path.startswith("/v1/")
)
load_all_checks()
HELD: tuple[Any, ...] = tuple(
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    )
)


@pytest.fixture(scope="module")
def served(databases: Databases) -> Iterator[Served]:
    database = databases.create()
    with serving(database) as served:
        yield served
    databases.drop(database)


@pytest.fixture(scope="module")
def schema(served: Served) -> BaseSchema:
    """Who may call is tested elsewhere: here everybody has a key."""
    document = copy.deepcopy(DOCUMENT)
    for _, _, operation in operations(document):
        operation.pop("security", None)
    loaded = schemathesis.openapi.from_dict(document)
    loaded.config.update(base_url=served.url)
    return loaded


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("method", "path"), CALLS, ids=[f"{m} {p}" for m, p in CALLS])
def test_nothing_breaks_it(served: Served, schema: BaseSchema, method: str, path: str) -> None:
    operation = schema[path][method.upper()]
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=SEED is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, data=st.data())
    def hold(case: schemathesis.Case[Any], data: st.DataObject) -> None:
        for name in case.path_parameters:
            if served.known.get(name) and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(served.known[name]))
        case.call_and_validate(headers=served.headers, checks=list(HELD))

    hold = seed(int(SEED))(hold) if SEED else hold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hold()
