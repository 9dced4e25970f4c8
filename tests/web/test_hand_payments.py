"""Money by hand over the API: recorded, shown, taken back, proven; and a customer's credit."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.flows.evidence import LARGEST_BYTES
from twintill.store import api_keys

CHEQUE = {
    "kind": "cheque",
    "amount": 4900,
    "currency": "eur",
    "received_on": "2025-11-20",
    "reference": "no 123",
}
PDF = b"%PDF-1.4 a scan"


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def invoice(shop: Shop) -> str:
    return await shop.world.invoice(await shop.world.customer(None))


async def record(shop: Shop, invoice_id: str, key: str = "k", **changes: Any) -> httpx.Response:
    return await shop.api.post(
        f"/v1/invoices/{invoice_id}/hand_payments",
        json=CHEQUE | changes,
        headers={"Idempotency-Key": key},
    )


async def test_recorded_twice_under_one_key_it_is_one_and_it_pays_the_invoice(shop: Shop) -> None:
    invoice_id = await invoice(shop)
    first = await record(shop, invoice_id)
    assert (first.status_code, first.json()["state"]) == (201, "applied"), first.text
    assert (await record(shop, invoice_id)).json() == first.json()
    again = await record(shop, invoice_id, "another")
    assert (again.status_code, again.json()["code"]) == (409, "reference_used")
    await shop.world.work()
    hand_id = first.json()["id"]
    shown = await shop.get(f"/v1/hand_payments/{hand_id}")
    assert (shown["recorded_by"], shown["received_on"]) == ("api:tests", "2025-11-20")
    assert (await shop.get(f"/v1/invoices/{invoice_id}/hand_payments"))["data"] == [shown]
    undone = await shop.api.post(f"/v1/hand_payments/{hand_id}/undo", json={"why": "x"})
    assert (undone.status_code, undone.json()["code"]) == (409, "reported_already")
    path = f"/v1/hand_payments/{hand_id}/correct"
    corrected = await shop.api.post(path, json={"why": "returned unpaid"})
    assert (corrected.status_code, corrected.json()["state"]) == (200, "corrected")
    assert corrected.json()["taken_back_why"] == "returned unpaid"


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"currency": "usd"}, 400, "currency_differs"),
        ({"amount": 0}, 422, "invalid_request"),
        ({"received_on": "2999-01-01"}, 400, "bad_request"),
        ({"kind": "credit"}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
        ({"reference": "two\nlines"}, 422, "invalid_request"),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    shop: Shop, wrong: dict[str, Any], status: int, code: str
) -> None:
    invoice_id = await invoice(shop)
    answer = await record(shop, invoice_id, **wrong)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await shop.get(f"/v1/invoices/{invoice_id}/hand_payments"))["data"] == []


async def test_a_shop_key_cannot_end_what_a_customer_owes(shop: Shop) -> None:
    invoice_id = await invoice(shop)
    async with shop.world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, "shop", ("read", "collect"))
    headers = {"Authorization": f"Bearer {secret}"}
    path = f"/v1/invoices/{invoice_id}/hand_payments"
    assert (await shop.api.post(path, json=CHEQUE, headers=headers)).status_code == 403


async def test_evidence_is_kept_as_it_was_given_and_never_changed(shop: Shop) -> None:
    hand_id = (await record(shop, await invoice(shop))).json()["id"]
    path = f"/v1/hand_payments/{hand_id}/evidence/cheque.pdf"
    pdf = {"content-type": "application/pdf"}
    filed = await shop.api.put(path, content=PDF, headers=pdf)
    sha256 = hashlib.sha256(PDF).hexdigest()
    assert (filed.status_code, filed.json()["sha256"]) == (200, sha256), filed.text
    assert (await shop.api.put(path, content=PDF, headers=pdf)).json() == filed.json()
    other = await shop.api.put(path, content=PDF + b"!", headers=pdf)
    assert (other.status_code, other.json()["code"]) == (409, "evidence_there")
    got = await shop.api.get(path)
    assert (got.content, got.headers["etag"]) == (PDF, f'"{sha256}"')
    assert got.headers["content-type"] == "application/pdf"
    assert (await shop.get(f"/v1/hand_payments/{hand_id}"))["evidence"] == [filed.json()]


@pytest.mark.parametrize(
    ("name", "kind", "body", "status", "code"),
    [
        ("a.pdf", "application/pdf", b"GIF89a", 400, "evidence_invalid"),
        ("a.gif", "image/gif", b"GIF89a", 400, "evidence_invalid"),
        ("a.txt", "text/plain", b"\xff\xfe", 400, "evidence_invalid"),
        ("a.pdf", "application/pdf", b"", 400, "evidence_invalid"),
        ("a.txt", "text/plain", b"x" * (LARGEST_BYTES + 1), 413, "too_large"),
    ],
)
async def test_what_is_not_what_it_says_is_refused(
    shop: Shop, name: str, kind: str, body: bytes, status: int, code: str
) -> None:
    hand_id = (await record(shop, await invoice(shop))).json()["id"]
    path = f"/v1/hand_payments/{hand_id}/evidence/{name}"
    answer = await shop.api.put(path, content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await shop.get(f"/v1/hand_payments/{hand_id}"))["evidence"] == []


async def test_as_much_as_may_be_is_taken(shop: Shop) -> None:
    hand_id = (await record(shop, await invoice(shop))).json()["id"]
    path = f"/v1/hand_payments/{hand_id}/evidence/long.txt"
    headers = {"content-type": "text/plain; charset=utf-8"}
    answer = await shop.api.put(path, content=b"x" * LARGEST_BYTES, headers=headers)
    assert (answer.status_code, answer.json()["size"]) == (200, LARGEST_BYTES)


async def test_what_is_left_is_shown_put_on_another_invoice_and_paid_out(shop: Shop) -> None:
    first = (await record(shop, await invoice(shop), amount=6900)).json()
    await shop.world.work()
    path = f"/v1/customers/{first['customer']}/credit"
    credit = await shop.get(path)
    assert credit["balances"] == [{"currency": "eur", "available": 2000, "waiting": 0}]
    assert [hand["id"] for hand in credit["hand_payments"]] == [first["id"]]
    other = await shop.world.invoice(first["customer"], 1500)
    asked = {"invoice": other, "currency": "eur", "amount": 1500}
    key = {"Idempotency-Key": "apply-1"}
    applied = await shop.api.post(f"{path}/apply", json=asked, headers=key)
    assert applied.status_code == 200, applied.text
    (part,) = applied.json()["data"]
    assert (part["kind"], part["amount"], part["source"]) == ("credit", 1500, first["id"])
    paid = {"currency": "eur", "reference": "SEPA 1", "why": "he asked"}
    answer = await shop.api.post(f"{path}/pay_out", json=paid)
    assert (answer.status_code, answer.json()["amount"]) == (200, 500)
    assert (await shop.get(path))["balances"] == []
    too_much = await shop.api.post(f"{path}/pay_out", json=paid | {"reference": "SEPA 2"})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "credit_too_small")
