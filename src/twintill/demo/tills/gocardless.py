"""GoCardless's part in the story: every charge is a bank debit, ordered now and told of days later.

Asked as a merchant asks it: payments, mandates, payouts; behind the stage only for a set-up that
its customer left, which no list of GoCardless's shows.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from twintill.demo import calls
from twintill.demo.books import Movement
from twintill.demo.people import BEN, CLEO, DAN, Buyer
from twintill.demo.tills.till import TillBook, Words
from twintill.demo.trouble import expect

_TOKEN = "demo_access_token"  # noqa: S105 -- the sandbox's
_SECRET = "demo_webhook_secret"  # noqa: S105 -- the sandbox's
_CREDITOR = "CR000070S65B1S"
_VERSION = "2015-07-06"
_ANSWER_WITHIN_S = 2.5
_COLLECTED = ("confirmed", "paid_out")
_TROUBLES = {BEN: "debit_declines_once", CLEO: "debit_answer_lost", DAN: "debit_fails_late"}


class GoCardlessTill:
    name = "gocardless"
    words = Words(
        title="GoCardless",
        short="GoCardless",
        collector="GoCardless",
        owner="GoCardless's",
        method="a bank account",
        charged="debited",
        silence="its webhooks tell nothing of a debit for days",
        records="GoCardless's payments and payouts",
        decline="Three bank days later Ben's debit fails",
        late="Dan's bank takes a confirmed debit back",
    )
    tells_later = True
    first_choice = "debit_ok"
    troubles: Mapping[Buyer, str] = _TROUBLES
    asks_again = timedelta(seconds=10)
    found_as: tuple[str, ...] = ("pending",)
    debit_takes = timedelta(days=1)  # told in the course of the day that is named
    settles_after: timedelta | None = timedelta(days=10)

    def command(self, port: str, webhook_url: str) -> tuple[str, ...]:
        return (
            *("sandbox", "gocardless", "--port", port, "--access-token", _TOKEN),
            *("--webhook-url", webhook_url, "--webhook-secret", _SECRET),
        )

    async def settings(self, address: str, folder: Path) -> dict[str, str]:
        return {
            "TWINTILL_GOCARDLESS_ENVIRONMENT": "sandbox",
            "TWINTILL_GOCARDLESS_URL": address,
            "TWINTILL_GOCARDLESS_ACCESS_TOKEN": _TOKEN,
            "TWINTILL_GOCARDLESS_WEBHOOK_SECRETS": _SECRET,
            "TWINTILL_GOCARDLESS_CREDITOR_ID": _CREDITOR,
            "TWINTILL_GOCARDLESS_TIMEOUT_S": str(_ANSWER_WITHIN_S),
        }

    def client(self, address: str) -> httpx.AsyncClient:
        http = calls.client(address, _TOKEN)
        http.headers["gocardless-version"] = _VERSION
        return http

    async def charges(self, http: httpx.AsyncClient, reference: str | None = None) -> list[Any]:
        payments = [payment async for payment in _rows(http, "payments")]
        return [p for p in payments if reference in (None, p["metadata"]["reference"])]

    async def keeps_silent(self, http: httpx.AsyncClient) -> None:
        """It does so by itself."""

    async def how_it_was_found(
        self, http: httpx.AsyncClient, invoice_id: str, attempt: Any
    ) -> list[str]:
        reference, sendings = attempt["reference"], attempt["sendings"]
        (payment,) = await self.charges(http, reference)
        expect(payment["metadata"]["invoice"] == invoice_id, "the payment names another invoice")
        expect(sendings == 1, f"the payment was sent {sendings} times")
        found = f"{payment['id']}, {payment['status']}"
        refusal = await _send_again(http, reference)
        conflicting = refusal["errors"][0]["links"]["conflicting_resource_id"]
        expect(conflicting == payment["id"], f"the key names {conflicting}")
        return [
            f"asked for {reference} in its payments' metadata: {found}. Sent 1 time",
            f"the same request again: {refusal['code']} {refusal['errors'][0]['reason']}",
        ]

    async def what_is_left(self, http: httpx.AsyncClient, customer_id: str) -> str:
        state = await calls.get(http, "/_sandbox/state")
        open_ones = [s["id"] for s in state["setup_sessions"] if s["status"] == "open"]
        expect(not open_ones, f"billing requests are left open: {open_ones}")
        return "billing request canceled"

    async def is_revoked(self, http: httpx.AsyncClient, token: str) -> bool:
        mandate = (await calls.get(http, f"/mandates/{token}"))["mandates"]
        return bool(mandate["status"] == "cancelled")

    async def read_book(self, http: httpx.AsyncClient, now: datetime) -> TillBook:
        """What came in is in the payments; what was kept of it and paid out, in the payouts."""
        movements = [
            Movement(payment["metadata"]["reference"], payment["currency"], payment["amount"])
            for payment in await self.charges(http)
            if payment["status"] in _COLLECTED
        ]
        left, fees, paid_out = (Counter[str]() for _ in range(3))
        for movement in movements:
            left[movement.currency] += movement.amount_minor
        async for payout in _rows(http, "payouts"):
            fees[payout["currency"]] += payout["deducted_fees"]
            paid_out[payout["currency"]] += payout["amount"]
        left.subtract(fees)
        left.subtract(paid_out)
        return TillBook(movements, left, fees, paid_out)


async def _send_again(http: httpx.AsyncClient, reference: str) -> Any:
    """The bytes and the key that were sent, as its log of requests has them; answers the refusal.

    Twintill need not do so: it has found the payment before.
    """
    logged = await calls.get(http, "/_sandbox/requests")
    (sent,) = (
        request
        for request in logged
        if (request["method"], request["path"]) == ("POST", "/payments")
        and request["body"]["payments"]["metadata"]["reference"] == reference
    )
    headers = {"idempotency-key": sent["idempotency_key"]}
    answer = await http.post("/payments", json=sent["body"], headers=headers)
    expect(answer.status_code == httpx.codes.CONFLICT, f"a second one: {answer.text}")
    return answer.json()["error"]


async def _rows(http: httpx.AsyncClient, name: str) -> AsyncIterator[Any]:
    """Every row of a list, page by page, as GoCardless lists."""
    after: dict[str, str] = {}
    while True:
        page = await calls.get(http, f"/{name}", limit="100", **after)
        for row in page[name]:
            yield row
        if page["meta"]["cursors"]["after"] is None:
            return
        after = {"after": page["meta"]["cursors"]["after"]}
