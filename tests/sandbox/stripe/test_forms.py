"""The form encoding, as the official client writes it and as people write it by hand."""

import contextlib
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from twintill.sandbox.stripe.forms import decode_form, read_params
from twintill.sandbox.stripe.refusal import Refusal

SPEC: dict[str, Any] = {
    "name": "str",
    "count": "int",
    "on": "bool",
    "metadata": "metadata",
    "address": {"city": "str", "line": {"one": "str"}},
    "items": [{"price": "str", "quantity": "int"}],
    "tags": ["str"],
    "created": "range",
    "word": ("a", "b"),
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=20)
NUMBER = st.integers(-(10**12), 10**12)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXT,
        "count": NUMBER,
        "on": st.booleans(),
        "metadata": st.dictionaries(TEXT, TEXT, min_size=1, max_size=4),
        "address": st.fixed_dictionaries(
            {"city": TEXT, "line": st.fixed_dictionaries({"one": TEXT})}
        ),
        "items": st.lists(
            st.fixed_dictionaries({"price": TEXT, "quantity": NUMBER}), min_size=1, max_size=12
        ),
        "tags": st.lists(TEXT, min_size=1, max_size=12),
        "word": st.sampled_from(["a", "b"]),
    },
)


def read(text: str) -> dict[str, Any]:
    return read_params(SPEC, decode_form(text))


@given(PARAMS)
def test_what_the_client_encodes_is_read_back(params: dict[str, Any]) -> None:
    encoded = urlencode(list(_api_encode(params)))
    assert read(encoded) == params


@given(st.text(max_size=60))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Refusal):
        read(text)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("tags[]=a&tags[]=b", {"tags": ["a", "b"]}),
        ("tags[1]=b&tags[0]=a", {"tags": ["a", "b"]}),
        (
            "items[][price]=p&items[][quantity]=2&items[][price]=q",
            {"items": [{"price": "p", "quantity": 2}, {"price": "q"}]},
        ),
        ("created=5", {"created": {"gte": 5, "lte": 5}}),
        ("created[gt]=5", {"created": {"gt": 5}}),
        ("name=&metadata=&tags=", {"name": "", "metadata": "", "tags": ""}),
        ("address[line][one]=x%5B0%5D", {"address": {"line": {"one": "x[0]"}}}),
    ],
)
def test_other_ways_of_writing(text: str, params: dict[str, Any]) -> None:
    assert read(text) == params


@pytest.mark.parametrize(
    "text", ["count=x", "on=yes", "tags=a", "tags[x]=a", "name=1&name[a]=2", "word=c", "address=x"]
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read(text)
