"""Charges: keys, references, currencies, and the book."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.sandbox.processor.client import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_without_the_key_nothing_is_answered(sandbox: Client) -> None:
    for header in ("", "Bearer wrong", "Basic sandbox_key_for_tests"):
        answer = await sandbox.http.get("/v1/balance", headers={"Authorization": header})
        assert answer.status_code == 401


async def test_a_charge_is_kept_and_booked(sandbox: Client) -> None:
    charge = await sandbox.charge(metadata={"invoice": "in_1"})
    assert charge["status"] == "succeeded"
    assert await sandbox.get(f"/v1/charges/{charge['id']}") == charge
    assert await sandbox.book() == [("charge", 1000)]
    assert await sandbox.balance() == 1000


async def test_a_decline_is_402_with_the_charge(sandbox: Client) -> None:
    answer = await sandbox.try_charge(await sandbox.method("card_declined"))
    assert answer.status_code == 402
    assert answer.json()["decline"]["code"] == "insufficient_funds"
    assert await sandbox.book() == []


async def test_a_token_of_another_customer_is_declined(sandbox: Client) -> None:
    mine, other = await sandbox.method("card_ok"), await sandbox.method("card_ok")
    answer = await sandbox.try_charge(mine | {"customer": other["customer"]})
    assert answer.json()["decline"]["code"] == "unknown_token"


async def test_the_same_key_repeats_the_first_answer(sandbox: Client) -> None:
    for magic in ("card_ok", "card_declined", "card_error"):
        method = await sandbox.method(magic)
        first = await sandbox.try_charge(method, f"key {magic}", reference=magic)
        second = await sandbox.try_charge(method, f"key {magic}", reference=magic)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert second.headers["idempotent-replayed"] == "true"
    assert await sandbox.balance() == 2000


async def test_a_key_acts_once_for_many_at_the_same_time(sandbox: Client) -> None:
    method = await sandbox.method("card_slow")
    answers = await asyncio.gather(*(sandbox.try_charge(method, "one key") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert (await sandbox.try_charge(method, "one key")).status_code == 201
    assert await sandbox.balance() == 1000


async def test_a_key_with_another_body_is_refused(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    await sandbox.try_charge(method, "one key")
    answer = await sandbox.try_charge(method, "one key", amount=999)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "idempotency_key_reused"


async def test_a_key_is_forgotten_after_its_window(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    await sandbox.try_charge(method, "one key")
    await sandbox.pass_days(1)
    answer = await sandbox.try_charge(method, "one key")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "duplicate_reference"


async def test_a_refused_request_frees_its_key(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    refused = await sandbox.try_charge(method, "one key", currency="ANG")
    assert refused.status_code == 422
    assert (await sandbox.try_charge(method, "one key")).status_code == 201


async def test_a_charge_needs_a_key(sandbox: Client) -> None:
    answer = await sandbox.http.post("/v1/charges", json={})
    assert answer.status_code == 400
    method = await sandbox.method("card_ok")
    assert (await sandbox.try_charge(method, "")).status_code == 400
    assert (await sandbox.try_charge(method, "k" * 129)).status_code == 400


async def test_a_reference_is_unique_until_it_is_declined(sandbox: Client) -> None:
    bad, good = await sandbox.method("card_declined"), await sandbox.method("card_ok")
    assert (await sandbox.try_charge(bad)).status_code == 402
    first = await sandbox.try_charge(good)
    again = await sandbox.try_charge(good)
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["error"]["charge"]["id"] == first.json()["id"]
    found = (await sandbox.get("/v1/charges", reference="ref-1"))["data"]
    assert [charge["status"] for charge in found] == ["declined", "succeeded"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("amount", "1000", 400),
        ("amount", 10.5, 400),
        ("amount", True, 400),
        ("amount", 0, 422),
        ("amount", -1, 422),
        ("amount", 10**12, 422),
        ("currency", "eur", 400),
        ("currency", "ANG", 422),
        ("reference", "no spaces", 400),
        ("reference", "x" * 36, 400),
        ("extra", 1, 400),
    ],
)
async def test_a_wrong_request_is_refused_and_does_nothing(
    sandbox: Client, field: str, value: object, status: int
) -> None:
    answer = await sandbox.try_charge(await sandbox.method("card_ok"), **{field: value})  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert (await sandbox.get("/v1/charges"))["data"] == []


async def test_time_passes_in_its_order(sandbox: Client) -> None:
    charge = await sandbox.charge("debit_ok")
    await sandbox.pass_days(40)
    begun = datetime.fromisoformat(charge["created"])
    events = [one for one in sandbox.door.events() if one["type"].startswith("charge.")]
    happened = [(one["type"], datetime.fromisoformat(one["created"]) - begun) for one in events]
    assert happened == [
        ("charge.pending", timedelta(0)),
        ("charge.succeeded", timedelta(days=2)),
        ("charge.final", timedelta(days=7)),
    ]
    line = (await sandbox.get("/v1/transactions"))["data"][0]
    assert datetime.fromisoformat(line["created"]) - begun == timedelta(days=2)


async def test_a_late_failure_takes_the_money_back(sandbox: Client) -> None:
    charge = await sandbox.charge("debit_fails_late")
    await sandbox.pass_days(40)
    assert (await sandbox.get(f"/v1/charges/{charge['id']}"))["status"] == "failed"
    assert await sandbox.book() == [("charge", 1000), ("charge_failure", -1000)]


async def test_a_decline_can_become_an_approval_after_all(sandbox: Client) -> None:
    charge = await sandbox.charge("card_declined")
    await sandbox.admin(f"charges/{charge['id']}/approve_late")
    assert await sandbox.balance() == 1000
    await sandbox.tick()
    assert sandbox.door.types()[-2:] == ["charge.declined", "charge.succeeded"]


async def test_the_book_can_be_paged_and_filtered(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    for n in range(5):
        await sandbox.try_charge(method, reference=f"ref-{n}", amount=n + 1)
        await sandbox.pass_days(1)
    seen: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = await sandbox.get("/v1/transactions", limit=2, **after)
        seen += [line["amount"] for line in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["next"]}
    assert seen == [1, 2, 3, 4, 5]
    all_lines = (await sandbox.get("/v1/transactions"))["data"]
    window = {"created_from": all_lines[1]["created"], "created_before": all_lines[3]["created"]}
    chosen = (await sandbox.get("/v1/transactions", type="charge", **window))["data"]
    assert [line["amount"] for line in chosen] == [2, 3]
    assert (await sandbox.http.get("/v1/transactions?after=txn_none")).status_code == 400


async def test_an_unknown_route_is_refused_by_name(sandbox: Client) -> None:
    answer = await sandbox.http.get("/v1/loans")
    assert answer.status_code == 404
    assert "GET /v1/loans" in answer.json()["error"]["message"]
