"""A billing address: plain mistakes are found where they were typed; nothing else is judged."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twintill.domain.address import Address, clean, complaints, needs_state


@pytest.mark.parametrize(
    "address",
    [
        Address("DE", "10115"),
        Address("GB", "SW1A 1AA"),
        Address("US", "94105", state="CA"),
        Address("US", "94105-1234", state="NY", line1="1 Main St", city="Springfield"),
        Address("CA", "K1A 0B1", state="ON"),
        Address("CA", "K1A0B1", state="ON"),
        Address("PT", "1000-001"),
        Address("HK"),
        Address("HK", "999077"),
    ],
)
def test_these_are_right(address: Address) -> None:
    assert complaints(address) == {}


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (Address(""), {"country"}),
        (Address("Germany", "10115"), {"country"}),
        (Address("DE"), {"postal_code"}),
        (Address("DE", "<script>"), {"postal_code"}),
        (Address("US", "9410", state="CA"), {"postal_code"}),
        (Address("US", "94105"), {"state"}),
        (Address("US"), {"postal_code", "state"}),
        (Address("CA", "10115", state="Ontario"), {"postal_code", "state"}),
        (Address("DE", "10115", line1="x" * 201), {"line1"}),
        (Address("DE", "10115", city="a\x00b"), {"city"}),
    ],
)
def test_these_are_wrong_where_it_says(address: Address, fields: set[str]) -> None:
    assert complaints(address).keys() == fields


def test_it_is_read_as_people_mean_it() -> None:
    typed = Address(" us ", " 94105 ", "1  Main   St ", " Springfield", " ca ")
    assert clean(typed) == Address("US", "94105", "1 Main St", "Springfield", "CA")
    assert clean(Address("ca", "k1a  0b1")).postal_code == "K1A 0B1"


def test_empty_fields_are_left_out() -> None:
    assert Address("DE", "10115", city="Berlin").filled() == {
        "country": "DE",
        "postal_code": "10115",
        "city": "Berlin",
    }
    assert needs_state("US")
    assert not needs_state("DE")


@given(st.builds(Address, *[st.text(max_size=300)] * 5))
@example(Address("AA", "00", "", "", "\x1b"))
def test_whatever_is_typed_nothing_unprintable_or_long_passes(address: Address) -> None:
    cleaned = clean(address)
    if not complaints(cleaned):
        assert all(value.isprintable() for value in cleaned.filled().values())
        assert all(len(value) <= 200 for value in cleaned.filled().values())
