"""/v1/settlements, /v1/payouts, /v1/clearing: the processors' reports, as people read them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.flows.settling import line
from tests.web.conftest import SCOPE, new_key
from tests.web.test_reading import ids
from twintill.flows import settle
from twintill.flows.means import Means
from twintill.processors.reports import SettlementLine

REPORT = (
    line("1", "charge", 2000, 50, of="chg_of_somebody", payout_id="po_1"),
    line("2", "fee", -35, payout_id="po_1"),
    line("3", "payout", -1915, payout_id="po_1"),
    line("4", "payout_returned", 1915, payout_id="po_1"),
    line("5", "payout", -100),
    replace(line("6", "fee", -5), fee=line("", "fee", 1, currency="USD").amount),
)


async def shown(means: Means, lines: Sequence[SettlementLine]) -> None:
    for told in lines:
        reading = settle.read(SCOPE, means.processors["sandbox"], told)
        async with means.database.begin() as db:
            await settle.take_in(db, SCOPE, reading)


@pytest.fixture
async def report(means: Means) -> None:
    await shown(means, REPORT)


async def get(api: httpx.AsyncClient, url: str) -> Any:
    answer = await api.get(url)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("", {"1", "2", "3", "4", "5", "6"}),
        ("payout=po_1", {"1", "2", "3", "4"}),
        ("whose=foreign", {"1"}),
        ("kind=payout", {"3", "5"}),
        ("state=not_booked", {"6"}),
        ("state=booked", {"1", "2", "3", "4", "5"}),
        ("state=changed", set()),
        ("payment=pay_1", set()),
        ("processor_account=acct_sandbox&kind=fee", {"2", "6"}),
        ("processor_account=acct_else", set()),
        ("created[lt]=1700000000", set()),
    ],
)
async def test_lines_are_listed_by_what_they_are(
    api: httpx.AsyncClient, report: None, query: str, lines: set[str]
) -> None:
    listed = await get(api, f"/v1/settlements?{query}")
    assert {each["line"] for each in listed["data"]} == lines


async def test_pages_hold_every_line_once(api: httpx.AsyncClient, report: None) -> None:
    seen = await ids(api, "/v1/settlements?limit=2")
    while following := await ids(api, f"/v1/settlements?limit=2&starting_after={seen[-1]}"):
        seen += following
    assert len(seen) == len(set(seen)) == len(REPORT)


async def test_a_line_says_why_it_is_not_booked(api: httpx.AsyncClient, report: None) -> None:
    (listed,) = (await get(api, "/v1/settlements?state=not_booked"))["data"]
    one = await get(api, f"/v1/settlements/{listed['id']}")
    assert one["not_booked"] == "its fee is in USD, its amount in EUR: book it by hand"
    assert (await api.get("/v1/settlements/stl_x")).status_code == 404


async def test_a_payout_adds_up_or_says_that_it_cannot(
    api: httpx.AsyncClient, report: None
) -> None:
    one = await get(api, "/v1/payouts/po_1")
    assert one == await get(api, f"/v1/payouts/{one['id']}")
    assert (one["amount"], one["lines"], one["lines_amount"], one["adds_up"]) == (
        1915, 2, 1915, True
    )  # fmt: skip
    assert one["by_kind"] == {"charge": 2000, "fee": -85}
    listed = (await get(api, "/v1/payouts"))["data"]
    assert sorted((p["amount"], p["adds_up"]) for p in listed) == [
        (-1915, None), (100, None), (1915, True)
    ]  # fmt: skip
    assert (await api.get("/v1/payouts/po_x")).status_code == 404


async def test_clearing_is_the_sum_of_its_parts(api: httpx.AsyncClient, report: None) -> None:
    (its,) = (await get(api, "/v1/clearing"))["data"]
    assert its == {
        "object": "clearing",
        "processor_account": "acct_sandbox",
        "currency": "eur",
        "clearing": 1815,
        "payments": 0,
        "fees": -35,
        "payouts": -100,
        "held": 0,
        "suspense": 1950,
        "not_shown": 0,
        "not_booked": -6,
    }


async def test_a_changed_line_is_taken_over_by_a_person(
    api: httpx.AsyncClient, means: Means, report: None
) -> None:
    await shown(means, [line("5", "payout", -90)])
    (changed,) = (await get(api, "/v1/settlements?state=changed"))["data"]
    assert (changed["amount"], changed["changed"]["amount"]) == (-100, -90)
    door = f"/v1/settlements/{changed['id']}/accept"
    assert (await api.post(door, json={"why": "they said so"})).status_code == 403
    api.headers.update(await new_key(means, "admin"))
    done = await api.post(door, json={"why": "they said so"})
    assert (done.json()["amount"], done.json()["changed"]) == (-90, None)
    again = await api.post(door, json={"why": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "settlement_unchanged")
    assert (await get(api, "/v1/clearing"))["data"][0]["payouts"] == -90
