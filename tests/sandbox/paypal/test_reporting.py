"""The transaction search: hours late, page by page, and in the end the whole balance."""

from datetime import datetime, timedelta

import pytest

from tests.sandbox.paypal.merchant import Json, Merchant

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def now(merchant: Merchant) -> datetime:
    return datetime.fromisoformat((await merchant.admin("tick"))["now"])


async def search(merchant: Merchant, days: float = 30, **query: object) -> list[Json]:
    end = await now(merchant) + timedelta(hours=1)
    start = end - timedelta(days=days)
    answer = await merchant.get(
        "/v1/reporting/transactions",
        start_date=start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        end_date=end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **query,
    )
    assert answer.status_code == 200, answer.text
    return [one["transaction_info"] for one in answer.json()["transaction_details"]]


async def test_a_payment_shows_three_hours_later_with_its_fee(merchant: Merchant) -> None:
    capture = await merchant.capture()
    await merchant.pass_days(0.1)
    assert await search(merchant) == []
    await merchant.pass_days(0.1)
    (row,) = await search(merchant)
    assert row["transaction_id"] == capture["id"]
    assert (row["transaction_event_code"], row["transaction_status"]) == ("T0003", "S")
    assert (row["invoice_id"], row["custom_field"]) == ("in_1", "tw-1")
    assert row["transaction_amount"]["value"] == "49.00"
    assert row["fee_amount"]["value"] == "-1.85"
    assert row["transaction_initiation_date"] == "2026-03-01T12:00:00+0000"


async def test_what_moved_nothing_is_left_out_unless_asked_for(merchant: Merchant) -> None:
    await merchant.capture("debit_ok")
    await merchant.pass_days(0.5)
    assert await search(merchant) == []
    (pending,) = await search(merchant, balance_affecting_records_only="N")
    assert pending["transaction_status"] == "P"
    await merchant.pass_days(2)
    assert [row["transaction_status"] for row in await search(merchant)] == ["S"]


async def test_all_rows_add_up_to_the_balance(merchant: Merchant) -> None:
    refunded, disputed, bounced = [
        await merchant.capture(magic, invoice_id=f"in_{n}")
        for n, magic in enumerate(("card_ok", "card_ok", "debit_fails_late"))
    ]
    amount = {"amount": {"currency_code": "EUR", "value": "9.00"}}
    await merchant.post(f"/v2/payments/captures/{refunded['id']}/refund", amount)
    dispute = await merchant.admin(f"charges/{disputed['id']}/dispute")
    await merchant.admin(f"disputes/{dispute['id']}/resolve", outcome="won")
    await merchant.pass_days(8)
    rows = await search(merchant)
    codes = [row["transaction_event_code"] for row in rows]
    assert {"T0003", "T1107", "T1201", "T1202", "T1106", "T0401"} <= set(codes)
    of_bounced = [row for row in rows if row.get("paypal_reference_id") == bounced["id"]]
    assert [row["transaction_amount"]["value"] for row in of_bounced] == ["-49.00"]
    cents = sum(
        round(float(row[name]["value"]) * 100)
        for row in rows
        for name in ("transaction_amount", "fee_amount")
        if name in row
    )
    balances = (await merchant.http.get("/_sandbox/state")).json()["balances"]
    assert cents == balances["EUR"]


async def test_it_comes_in_pages(merchant: Merchant) -> None:
    for n in range(3):
        await merchant.capture(invoice_id=f"in_{n}")
    await merchant.pass_days(0.2)
    pages = [await search(merchant, page_size=2, page=page) for page in (1, 2)]
    assert [len(page) for page in pages] == [2, 1]
    assert len({row["transaction_id"] for page in pages for row in page}) == 3


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z", 400),  # longer than 31 days
        ("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z", 400),
        ("2099-03-01T00:00:00Z", "2099-03-02T00:00:00Z", 404),  # not refreshed up to there
        ("2026-03-01", "2026-03-02", 400),
    ],
)
async def test_a_range_that_is_not_searched(
    merchant: Merchant, start: str, end: str, status: int
) -> None:
    query = {"start_date": start, "end_date": end}
    answer = await merchant.get("/v1/reporting/transactions", **query)
    assert (answer.status_code, answer.json()["name"]) == (status, "INVALID_REQUEST")
