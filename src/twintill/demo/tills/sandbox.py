"""The sandbox processor's part in the story: cards that answer at once, a debit that does not."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from twintill.demo import calls
from twintill.demo.books import Movement
from twintill.demo.people import BEN, CLEO, DAN, Buyer
from twintill.demo.tills.till import TillBook, Words
from twintill.demo.trouble import expect

_KEY = "sandbox_key_demo"
_SECRET = "whsec_demo_processor"  # noqa: S105 -- the sandbox's
_ANSWER_WITHIN_S = 2.5  # short, so that waiting for a lost answer does not take half a minute
_TROUBLES = {BEN: "card_declines_once", CLEO: "card_answer_lost", DAN: "debit_ok"}


class SandboxTill:
    name = "sandbox"
    words = Words()
    tells_later = False
    first_choice = "card_ok"
    troubles: Mapping[Buyer, str] = _TROUBLES
    asks_again = timedelta(seconds=10)
    found_as: tuple[str, ...] = ("reported",)
    debit_takes = timedelta(seconds=5)  # not a minute: else it is asked before its webhook comes
    settles_after: timedelta | None = None

    def command(self, port: str, webhook_url: str) -> tuple[str, ...]:
        return (
            *("sandbox", "processor", "--port", port, "--api-key", _KEY),
            *("--webhook-url", webhook_url, "--webhook-secret", _SECRET),
        )

    async def settings(self, address: str, folder: Path) -> dict[str, str]:
        return {
            "TWINTILL_SANDBOX_PROCESSOR_URL": address,
            "TWINTILL_SANDBOX_PROCESSOR_API_KEY": _KEY,
            "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": _SECRET,
            "TWINTILL_SANDBOX_PROCESSOR_TIMEOUT_S": str(_ANSWER_WITHIN_S),
        }

    def client(self, address: str) -> httpx.AsyncClient:
        return calls.client(address, _KEY)

    async def charges(self, http: httpx.AsyncClient, reference: str | None = None) -> list[Any]:
        wanted = {} if reference is None else {"reference": reference}
        return list((await calls.get(http, "/v1/charges", **wanted))["data"])

    async def keeps_silent(self, http: httpx.AsyncClient) -> None:
        await calls.silence(http, "charge.succeeded", "/v1/events")

    async def how_it_was_found(
        self, _: httpx.AsyncClient, invoice_id: str, attempt: Any
    ) -> list[str]:
        expect(attempt["sendings"] == 1, f"the charge was sent {attempt['sendings']} times")
        return [f"asked for {attempt['reference']}: the processor has it. Sent 1 time"]

    async def what_is_left(self, http: httpx.AsyncClient, customer_id: str) -> str:
        state = await calls.get(http, "/_sandbox/state")
        (setup,) = (s for s in state["setup_sessions"] if s["customer_reference"] == customer_id)
        expect(setup["status"] == "canceled", f"the set-up at the processor is {setup['status']}")
        return "set-up at the processor canceled"

    async def is_revoked(self, http: httpx.AsyncClient, token: str) -> bool:
        method = await calls.get(http, f"/v1/methods/{token}")
        return bool(method["status"] == "revoked")

    async def read_book(self, http: httpx.AsyncClient, now: datetime) -> TillBook:
        moved = [row async for row in calls.rows(http, "/v1/transactions", "after")]
        balances = (await calls.get(http, "/v1/balance"))["balances"]
        return TillBook(
            [Movement(row["reference"], row["currency"], row["amount"]) for row in moved],
            {row["currency"]: row["amount"] for row in balances},
        )
