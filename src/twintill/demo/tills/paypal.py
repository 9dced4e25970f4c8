"""PayPal's part in the story: wallets that answer at once, and an eCheck that does not.

Asked as a merchant asks it: stored wallets, orders, and for the books its transaction search, which
shows what happened three hours ago. Only for what is too fresh for that, behind the stage.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from twintill.demo import calls
from twintill.demo.books import Movement
from twintill.demo.people import BEN, CLEO, DAN, Buyer
from twintill.demo.tills.till import TillBook, Words
from twintill.demo.trouble import expect

_ID, _SECRET = "demo_client", "demo_secret"
_WEBHOOK_ID = "1DEMOWEBHOOK12345"
_MERCHANT = "SANDBOXMERCH1"
_ANSWER_WITHIN_S = 2.5
_WINDOW = timedelta(days=31)  # the longest that one search may span
_PAYMENT, _WITHDRAWALS = "T0003", "T04"
_TROUBLES = {BEN: "card_declines_once", CLEO: "card_answer_lost", DAN: "debit_ok"}


class PayPalTill:
    name = "paypal"
    words = Words(
        title="PayPal",
        short="PayPal",
        collector="PayPal",
        owner="PayPal's",
        method="a PayPal wallet",
        charged="captured",
        silence="PayPal's webhooks are an hour late, its list of events is down",
        records="PayPal's transaction search",
        late="Dan pays by eCheck: PayPal calls it PENDING; it takes two days",
    )
    tells_later = False
    first_choice = "card_ok"
    troubles: Mapping[Buyer, str] = _TROUBLES
    asks_again = timedelta(seconds=10)
    found_as: tuple[str, ...] = ("reported",)
    debit_takes = timedelta(days=2)
    settles_after: timedelta | None = timedelta(days=2)

    def command(self, port: str, webhook_url: str) -> tuple[str, ...]:
        return (
            *("sandbox", "paypal", "--port", port, "--client", f"{_ID}:{_SECRET}"),
            *("--webhook-url", webhook_url, "--webhook-id", _WEBHOOK_ID),
        )

    async def settings(self, address: str, folder: Path) -> dict[str, str]:
        """Its webhooks are signed with a certificate of its own, whose root is at its side door."""
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            root = (await http.get("/_sandbox/ca")).raise_for_status().text
        return {
            "TWINTILL_PAYPAL_ENVIRONMENT": "sandbox",
            "TWINTILL_PAYPAL_URL": address,
            "TWINTILL_PAYPAL_ROOTS_FILE": _written(root, folder / "paypal-root.pem"),
            "TWINTILL_PAYPAL_CLIENT_ID": _ID,
            "TWINTILL_PAYPAL_CLIENT_SECRET": _SECRET,
            "TWINTILL_PAYPAL_MERCHANT_ID": _MERCHANT,
            "TWINTILL_PAYPAL_WEBHOOK_IDS": _WEBHOOK_ID,
            "TWINTILL_PAYPAL_TIMEOUT_S": str(_ANSWER_WITHIN_S),
        }

    def client(self, address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=address, auth=_AccessToken(address), timeout=30, trust_env=False
        )

    async def charges(self, http: httpx.AsyncClient, reference: str | None = None) -> list[Any]:
        """Behind the stage: the transaction search would show them hours later."""
        made = (await calls.get(http, "/_sandbox/state"))["charges"]
        return [one for one in made if reference in (None, one["reference"])]

    async def keeps_silent(self, http: httpx.AsyncClient) -> None:
        events = "/v1/notifications/webhooks-events"
        await calls.silence(http, "PAYMENT.CAPTURE.COMPLETED", events)

    async def how_it_was_found(
        self, http: httpx.AsyncClient, invoice_id: str, attempt: Any
    ) -> list[str]:
        """The same request again is answered by the first; another one for the invoice, refused."""
        expect(attempt["sendings"] == 2, f"the charge was sent {attempt['sendings']} times")
        order = {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "amount": {"currency_code": "EUR", "value": "98.00"},
                    "invoice_id": invoice_id,
                    "custom_id": "somebody-else",
                }
            ],
            "payment_source": {"paypal": {"vault_id": await self._other_wallet(http, attempt)}},
        }
        answer = await http.post(
            "/v2/checkout/orders", json=order, headers={"paypal-request-id": "another-request"}
        )
        issues = [detail["issue"] for detail in answer.json().get("details", ())]
        expect(issues == ["DUPLICATE_INVOICE_ID"], f"PayPal charged the invoice again: {issues}")
        capture = attempt["processor_payment"]
        return [
            f"the same PayPal-Request-Id again: PayPal answers with what it has, {capture}",
            f"somebody else asks for the same invoice: {answer.status_code} {issues[0]}",
        ]

    async def what_is_left(self, http: httpx.AsyncClient, customer_id: str) -> str:
        """PayPal has no way to take a setup token back; one that nobody approved stores nothing."""
        state = await calls.get(http, "/_sandbox/state")
        (setup,) = (s for s in state["setup_sessions"] if s["customer_reference"] == customer_id)
        expect(setup["status"] != "complete", "an abandoned set-up stored a wallet")
        return "nothing stored at PayPal"

    async def is_revoked(self, http: httpx.AsyncClient, token: str) -> bool:
        answer = await http.get(f"/v3/vault/payment-tokens/{token}")
        return answer.status_code == httpx.codes.NOT_FOUND

    async def read_book(self, http: httpx.AsyncClient, now: datetime) -> TillBook:
        """Its transaction search, as far back as the story goes."""
        movements: list[Movement] = []
        left, fees, paid_out = (Counter[str]() for _ in range(3))
        async for row in _transactions(http, now):
            minor, currency = _minor(row["transaction_amount"])
            fee_minor = -_minor(row["fee_amount"])[0] if "fee_amount" in row else 0
            left[currency] += minor - fee_minor
            fees[currency] += fee_minor
            if row["transaction_event_code"].startswith(_WITHDRAWALS):
                paid_out[currency] -= minor
            elif row["transaction_event_code"] == _PAYMENT:
                movements.append(Movement(row["custom_field"], currency, minor))
            else:
                expect(False, f"PayPal shows {row['transaction_event_code']}, unknown to the story")
        return TillBook(movements, left, fees, paid_out)

    async def _other_wallet(self, http: httpx.AsyncClient, attempt: Any) -> str:
        """With hers, no answer would arrive again."""
        made = await self.charges(http)
        return str(next(one["token"] for one in made if one["reference"] != attempt["reference"]))


def _written(text: str, path: Path) -> str:
    path.write_text(text)
    return str(path.absolute())


class _AccessToken(httpx.Auth):
    """OAuth's client credentials: one access token, fetched when the first request needs it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._token: str | None = None

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._token is None:
            asking = httpx.Request(
                "POST",
                f"{self._address}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
            )
            answer = yield next(httpx.BasicAuth(_ID, _SECRET).auth_flow(asking))
            await answer.aread()
            self._token = str(answer.json()["access_token"])
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


async def _transactions(http: httpx.AsyncClient, now: datetime) -> AsyncIterator[Any]:
    for n in (2, 1):
        end = now - (n - 1) * _WINDOW
        span = {"start_date": _stamp(end - _WINDOW), "end_date": _stamp(end)}
        page, pages = 1, 1
        while page <= pages:
            path = "/v1/reporting/transactions"
            found = await calls.get(http, path, **span, fields="all", page=str(page))
            for row in found["transaction_details"]:
                yield row["transaction_info"]
            page, pages = page + 1, found["total_pages"]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _minor(amount: Any) -> tuple[int, str]:
    """The whole story is in a currency with two decimal places."""
    return int(Decimal(amount["value"]).scaleb(2)), str(amount["currency_code"])
