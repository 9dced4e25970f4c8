"""Stripe's events: every sample parses, and whatever cannot be read says so in one way."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import UnreadableEvent
from twintill.stripe_billing.events import StripeEvent, parse

DATA = Path(__file__).parent.parent / "data" / "stripe"
SAMPLES = sorted(DATA.glob("events*/*.json"))
CUSTOMER = "cus_Cb0000000000001"
SUBSCRIPTION = "sub_1Cb000000000000000001"
INVOICE = "in_1Cb0000000000000000001"


def sample(path: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((DATA / path).read_bytes())
    return event


def parsed(event: dict[str, Any]) -> StripeEvent:
    return parse(json.dumps(event).encode())


def changed(path: str, **fields: Any) -> dict[str, Any]:
    event = sample(path)
    event["data"]["object"].update(fields)
    return event


def test_the_samples_are_there() -> None:
    assert {p.parent.name for p in SAMPLES} == {"events", "events_pre_basil", "events_thin"}
    assert len(SAMPLES) >= 46


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_sample_parses(path: Path) -> None:
    raw = json.loads(path.read_bytes())
    event = parse(path.read_bytes())
    assert (event.id, event.type, event.livemode) == (raw["id"], raw["type"], False)
    assert event.thin is (path.parent.name == "events_thin")
    assert event.object_id is not None
    assert (event.invoice is not None) == (event.object_type == "invoice" and not event.thin)


@pytest.mark.parametrize("folder", ["events", "events_pre_basil"])
def test_both_shapes_of_an_invoice_say_the_same(folder: str) -> None:
    event = parsed(sample(f"{folder}/invoice.finalized.json"))
    invoice = event.invoice
    assert invoice is not None
    assert (event.customer_id, event.subscription_id, event.invoice_id) == (
        CUSTOMER,
        SUBSCRIPTION,
        INVOICE,
    )
    assert (invoice.status, event.invoice_status) == ("open", InvoiceStatus.OPEN)
    assert (invoice.amount_due_minor, invoice.amount_remaining_minor) == (5831, 5831)
    assert (invoice.currency, invoice.amount_paid_minor) == ("EUR", 0)
    assert (invoice.collection_method, invoice.billing_reason) == (
        "send_invoice",
        "subscription_cycle",
    )
    assert invoice.due_at == datetime(2026, 12, 15, 9, 0, tzinfo=UTC)
    assert invoice.number == "CB000001-0003"
    assert event.created_at == datetime(2026, 12, 1, 10, 0, tzinfo=UTC)


def test_a_one_off_invoice_has_no_subscription() -> None:
    event = parsed(sample("events/invoice.finalized.one_off_jpy.json"))
    assert event.subscription_id is None
    assert event.invoice is not None
    assert event.invoice.currency == "JPY"


def test_our_own_call_is_recognised_by_its_key() -> None:
    event = parsed(sample("events/invoice.paid.json"))
    assert event.request_idempotency_key == f"twintill:pay:{INVOICE}"


def test_the_request_may_be_a_bare_id_as_before_2017() -> None:
    event = sample("events_pre_basil/invoice.paid.json") | {"request": "req_1"}
    assert parsed(event).request_id == "req_1"
    assert parsed(event | {"request": None}).request_id is None


def test_a_deleted_draft_is_deleted_although_it_calls_itself_a_draft() -> None:
    event = parsed(sample("events/invoice.deleted.json"))
    assert event.invoice_status is InvoiceStatus.DELETED


def test_a_subscription_shows_its_method_of_collection_and_what_changed() -> None:
    event = parsed(sample("events/customer.subscription.updated.collection_method.json"))
    assert event.subscription is not None
    assert event.subscription.collection_method == "charge_automatically"
    assert event.changed == {"collection_method", "days_until_due", "default_payment_method"}
    assert (event.subscription_id, event.customer_id) == (SUBSCRIPTION, CUSTOMER)


def test_a_cancelled_subscription_has_an_end() -> None:
    event = parsed(sample("events/customer.subscription.deleted.json"))
    assert event.subscription is not None
    assert event.subscription.status == "canceled"
    assert event.subscription.ended_at is not None


def test_credit_notes_and_invoice_payments_name_their_invoice() -> None:
    for name in ("credit_note.created", "invoice_payment.paid"):
        assert parsed(sample(f"events/{name}.json")).invoice_id == INVOICE


def test_a_thin_event_names_what_to_read() -> None:
    event = parsed(sample("events_thin/v1.invoice.paid.json"))
    assert (event.type, event.object_type, event.invoice_id) == (
        "v1.invoice.paid",
        "invoice",
        INVOICE,
    )
    assert event.created_at == datetime(2026, 12, 1, 11, 0, tzinfo=UTC)
    assert event.invoice is None


def test_a_thin_event_of_a_connected_account_says_so() -> None:
    event = sample("events_thin/v1.invoice.paid.json") | {"context": "org_1/acct_2"}
    assert parsed(event).account == "acct_2"


def test_a_connected_account_is_named() -> None:
    assert parsed(sample("events/invoice.paid.json") | {"account": "acct_1"}).account == "acct_1"


@pytest.mark.parametrize("folder", ["events", "events_pre_basil"])
def test_ids_may_be_expanded_objects(folder: str) -> None:
    event = changed(f"{folder}/invoice.paid.json", customer={"id": CUSTOMER, "object": "customer"})
    invoice = event["data"]["object"]
    expanded = {"id": SUBSCRIPTION, "object": "subscription"}
    if folder == "events":
        invoice["parent"]["subscription_details"]["subscription"] = expanded
    else:
        invoice["subscription"] = expanded
    assert parsed(event).customer_id == CUSTOMER
    assert parsed(event).subscription_id == SUBSCRIPTION


def test_unknown_fields_types_and_words_never_fail() -> None:
    event = changed("events/invoice.paid.json", status="folded", collection_method="by_pigeon", x=1)
    event |= {"type": "invoice.folded", "api_version": "2031-01-01.zebra", "novelty": [1.5]}
    invoice = parsed(event).invoice
    assert invoice is not None
    assert (invoice.status, invoice.known_status) == ("folded", None)
    assert invoice.collection_method == "by_pigeon"


def test_objects_that_we_do_not_read_may_hold_anything() -> None:
    event = sample("events/invoice.paid.json") | {"type": "balance.available"}
    event["data"] = {"object": {"object": "balance", "customer": [1], "subscription": {}, "id": 7}}
    assert parsed(event).object_id is None
    assert parsed(event).customer_id is None


def test_the_preview_of_an_upcoming_invoice_is_not_mirrored() -> None:
    event = changed("events/invoice.created.json") | {"type": "invoice.upcoming"}
    del event["data"]["object"]["id"]
    assert parsed(event).invoice is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"null",
        b'"event"',
        b"{}",
        b'{"object": "event"}',
        b'{"object": "v2.core.event", "id": "evt_1"}',
        b'{"object": "list"}',
        b'{"object": "event", "a": NaN}',
        b'{"object": "event", "a": Infinity}',
        b'{"object": "event"} trailing',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"a": "\\ud800"}',
        b"9" * 10_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_event_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        parse(body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_due", "5831"),
        ("amount_due", 58.31),
        ("amount_due", True),
        ("amount_due", None),
        ("amount_due", 10**18),
        ("currency", "euro"),
        ("currency", None),
        ("due_date", "soon"),
        ("due_date", -1),
        ("due_date", 10**15),
        ("customer", 7),
        ("customer", {"object": "customer"}),
        ("id", 7),
        ("id", "in_\x00"),
        ("livemode", "no"),
        ("metadata", {"a": 1}),
        ("metadata", {"a": "\x00"}),
        ("status", 3),
    ],
)
def test_an_invoice_of_another_shape_is_unreadable(field: str, value: Any) -> None:
    with pytest.raises(UnreadableEvent):
        parsed(changed("events/invoice.paid.json", **{field: value}))


def test_the_complaint_says_where_and_never_repeats_a_value() -> None:
    with pytest.raises(UnreadableEvent, match=r"amount_due") as raised:
        parsed(changed("events/invoice.paid.json", amount_due="secret"))
    assert "secret" not in str(raised.value)


def _never_fails_otherwise(body: bytes) -> None:
    try:
        event = parse(body)
    except UnreadableEvent:
        return
    for text in (event.id, event.type, event.object_id, event.customer_id, event.subscription_id):
        assert text is None or "\x00" not in text
        (text or "").encode()


@given(body=st.binary(max_size=300))
def test_any_bytes_are_an_event_or_unreadable(body: bytes) -> None:
    _never_fails_otherwise(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += _paths(inner, (*path, key))
    return found


@given(data=st.data(), value=JSON)
def test_a_sample_with_any_value_replaced_is_an_event_or_unreadable(
    data: st.DataObject, value: Any
) -> None:
    event = json.loads(data.draw(st.sampled_from(SAMPLES)).read_bytes())
    *outer, last = data.draw(st.sampled_from(_paths(event)))
    place = event
    for key in outer:
        place = place[key]
    place[last] = value
    _never_fails_otherwise(json.dumps(event).encode())


@given(data=st.data())
def test_a_sample_with_one_byte_altered_is_an_event_or_unreadable(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(SAMPLES)).read_bytes())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    _never_fails_otherwise(bytes(body))
