"""Doors of other payment systems that were open: each name is the advisory's."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.flows.listening import deliver, endpoint, happen, listening, told
from tests.flows.signing_up import HERE
from tests.flows.test_outbound import Names
from tests.flows.world import SCOPE, World
from tests.regressions.stories import its_charge, opened, sent, tell
from tests.test_settings import ENOUGH
from tests.web.shop import Shop
from twintill.domain.payment import Reason, State
from twintill.errors import SettingsError, SignatureRefused
from twintill.processors.sandbox import SandboxProcessor
from twintill.sandbox.serve import running
from twintill.settings import PREFIX, Settings, read_settings
from twintill.store import api_keys
from twintill.stripe_billing import signature

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
EVENT = json.dumps({"object": "event", "id": "evt_1", "type": "invoice.paid"}).encode()
DOORS = ["/webhooks/stripe", "/webhooks/sandbox"]


async def inbox_of(shop: Shop) -> int:
    async with shop.world.db() as db:
        rows = await db.exec_driver_sql("SELECT count(*) FROM deliveries")
        return int(rows.scalar_one())


async def key_of(shop: Shop, *scopes: str) -> dict[str, str]:
    async with shop.world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, "tests", scopes)
    return {"Authorization": f"Bearer {secret}"}


class Listening:
    """Somebody else's server: remembers who called, and answers so."""

    def __init__(self, status: int = 200, location: str | None = None) -> None:
        self.calls: list[str] = []
        self._status, self._location = status, location

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.calls.append(f"{scope['method']} {scope['path']}")
        headers = [(b"location", self._location.encode())] if self._location else []
        start = {"type": "http.response.start", "status": self._status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": b""})


# A secret that everybody knows, or none.


@pytest.mark.parametrize(
    "variable",
    [
        "STRIPE_WEBHOOK_SECRETS",
        "SANDBOX_PROCESSOR_WEBHOOK_SECRETS",
        "PAYPAL_WEBHOOK_IDS",
        "GOCARDLESS_WEBHOOK_SECRETS",
    ],
)
@pytest.mark.parametrize("empty", ["", " ", ",", " , "])
def test_ghsa_xff3_5c9p_2mr4_an_empty_secret_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, empty: str
) -> None:
    others = {"PAYPAL_CLIENT_ID": "id", "GOCARDLESS_ACCESS_TOKEN": "sandbox_1"}
    for name, value in (ENOUGH | {PREFIX + k: v for k, v in others.items()}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(PREFIX + variable, empty)
    with pytest.raises(SettingsError, match=variable):
        read_settings()


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_1", "")])
def test_ghsa_xff3_5c9p_2mr4_nothing_is_verified_with_an_empty_secret(
    secrets: tuple[str, ...],
) -> None:
    forged = signature.sign(EVENT, "", NOW)
    with pytest.raises((ValueError, SignatureRefused)):
        signature.verify(EVENT, forged, secrets, NOW)
    with pytest.raises(SettingsError, match="webhook secret"):
        SandboxProcessor("http://127.0.0.1:9", "key", secrets, "acct_sandbox")


async def test_ghsa_xff3_5c9p_2mr4_one_processors_word_does_not_settle_anothers_charge(
    world: World,
) -> None:
    """An order of one gateway was completed by the callback of another."""
    invoice_id = await world.collect(await world.customer("debit_ok"))
    (attempt,) = (await world.payment(invoice_id)).attempts
    charge = await its_charge(world, str(attempt.processor_payment_id))
    approved = charge | {"status": "succeeded", "finality": "final"}
    await tell(world, "charge.succeeded", approved, account="acct_other")
    assert (await world.payment(invoice_id)).state is State.PENDING
    assert await world.status(invoice_id) == "open"


# No signature.


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": "", "Sandbox-Signature": ""},
        {"Stripe-Signature": "t=1,v1=", "Sandbox-Signature": "t=1,v1="},
        {"Authorization": "Bearer whsec_sandbox_1"},
    ],
)
async def test_cve_2026_21894_what_is_not_signed_changes_nothing(
    shop: Shop, door: str, headers: dict[str, str]
) -> None:
    """n8n; also CVE-2026-0656 (iPaymu), CVE-2025-14078 (PAYGENT), CVE-2025-7820 (SKT PayPal), and
    one in four apps of a vendor's scan in May 2026: an unsigned event was believed."""
    answer = await shop.browser.post(door, content=EVENT, headers=headers)
    assert answer.status_code == 400
    assert await inbox_of(shop) == 0


async def test_cve_2026_21894_there_is_no_setting_that_switches_verification_off() -> None:
    words = ("verify", "signature", "insecure", "skip", "unsafe")
    assert not [f for f in Settings.model_fields if any(word in f for word in words)]


@pytest.mark.parametrize(
    "header", ["x-djstripe-webhook-secret", "x-webhook-secret", "stripe-webhook-secret"]
)
async def test_dj_stripe_1920_the_caller_does_not_choose_the_secret(
    shop: Shop, header: str
) -> None:
    signed = signature.sign(EVENT, "whsec_mine", datetime.now(UTC))
    headers = {"Stripe-Signature": signed, header: "whsec_mine"}
    answer = await shop.browser.post(
        "/webhooks/stripe?secret=whsec_mine", content=EVENT, headers=headers
    )
    assert answer.status_code == 400
    assert await inbox_of(shop) == 0


# Authentic, and not what was asked for.


@pytest.mark.parametrize("change", [{"amount": 100}, {"currency": "USD"}])
async def test_cve_2026_9189_a_real_payment_of_another_amount_does_not_pay_an_invoice(
    world: World, change: dict[str, Any]
) -> None:
    """A real notification about one dollar, with the number of an order of two thousand."""
    invoice_id = await world.collect(await world.customer("debit_ok"), 200_000)
    (attempt,) = (await world.payment(invoice_id)).attempts
    charge = await its_charge(world, str(attempt.processor_payment_id))
    await tell(
        world, "charge.succeeded", charge | {"status": "succeeded", "finality": "final"} | change
    )
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.reason, payment.receipts) == (Reason.AMOUNT_DIFFERS, ())
    assert payment.parked_why is not None
    assert await world.status(invoice_id) == "open"


async def test_cve_2026_9189_a_payment_that_is_not_ours_pays_nothing(world: World) -> None:
    invoice_id = await opened(world)
    stranger = {
        "id": "ch_stranger",
        "reference": invoice_id,
        "status": "succeeded",
        "amount": 4900,
        "currency": "EUR",
        "finality": "final",
    }
    await tell(world, "charge.succeeded", stranger)
    assert (await world.payment(invoice_id)).receipts == ()
    assert await world.status(invoice_id) == "open"


# Whose object is it, and who says who he is?


async def test_cve_2026_48016_nobody_acts_on_what_is_not_his(shop: Shop) -> None:
    """Shopware: anybody with an order's number could start its payment."""
    mine = await shop.sign_up()
    for path in ("/v1/payments", "/v1/invoices", "/v1/signups", f"/v1/signups/{mine['id']}"):
        assert (await shop.browser.get(path)).status_code == 401, path
    read_only = await key_of(shop, "read")
    asked = await shop.params()
    refused = await shop.browser.post("/v1/signups", json=asked, headers=read_only)
    assert refused.status_code == 403
    assert await sent(shop.world) == []


async def test_cve_2026_48016_a_page_is_found_only_by_an_id_that_cannot_be_guessed(
    shop: Shop,
) -> None:
    checkout_id = (await shop.sign_up())["checkout"]["id"]
    assert len(checkout_id.partition("_")[2]) >= 24
    wrong = checkout_id[:-1] + ("0" if checkout_id[-1] != "0" else "1")
    assert (await shop.page(wrong)).status_code == 404
    assert (await shop.submit(wrong, **HERE)).status_code == 404


@pytest.mark.parametrize(
    "header", ["X-WCPAY-PLATFORM-CHECKOUT-USER", "X-User-Id", "X-Forwarded-User", "Remote-User"]
)
async def test_cve_2023_28121_no_header_says_who_somebody_is(shop: Shop, header: str) -> None:
    """WooCommerce Payments: the header named the user, and was believed."""
    answer = await shop.browser.get("/v1/payments", headers={header: "1"})
    assert answer.status_code == 401


async def test_cve_2026_1710_what_one_visitor_sends_no_other_visitor_sees(shop: Shop) -> None:
    """WooCommerce Payments: anybody could store the looks of the checkout, for everybody."""
    first = (await shop.sign_up())["checkout"]["id"]
    other = (await shop.sign_up())["checkout"]["id"]
    before = await shop.page(other)
    poison = {"appearance": "<style>body{display:none}</style>", "country": "<b>", "theme": "x"}
    await shop.submit(first, **poison)
    await shop.browser.get(f"/checkout/{first}?appearance=poison", headers={"X-Theme": "poison"})
    after = await shop.page(other)
    assert after.text.replace(other, "") == before.text.replace(other, "")
    assert "display:none" not in after.text
    assert after.headers["cache-control"] == "no-store"


# Where do we call, because somebody said so?


async def test_ghsa_gf3v_98g2_qffx_addresses_that_a_caller_names_are_never_called(
    shop: Shop,
) -> None:
    """OneUptime; also openreplay PR#4818, open-mercato PR#1735: a webhook to an inner address.

    Only settings say where we call. What the API takes is an address to send a browser to.
    """
    listening = Listening()
    async with running(listening) as inner:
        signup = await shop.sign_up(
            success_url=f"{inner}/success", cancel_url=f"{inner}/cancel", description=inner
        )
        await shop.pay(signup["checkout"]["id"])
        assert len(await shop.world.charges()) == 1
    assert listening.calls == []


@pytest.mark.parametrize(
    "bad", ["javascript:alert(1)", "file:///etc/passwd", "//shop.example", "x"]
)
async def test_ghsa_gf3v_98g2_qffx_only_web_addresses_are_taken(shop: Shop, bad: str) -> None:
    params = await shop.params(success_url=bad)
    assert (await shop.api.post("/v1/signups", json=params)).status_code == 422


async def test_openreplay_pr_4818_open_mercato_pr_1735_a_name_is_not_looked_up_again(
    world: World,
) -> None:
    """Its first answer was checked, its second one called: here what was judged is called."""
    async with listening() as judged:
        names = Names([["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]])
        world = told(world, resolve=names.resolve)
        port = httpx.URL(judged.url).port
        await endpoint(world, f"http://rebinding.example:{port}/hook")
        await happen(world)
        await deliver(world)
    assert names.asked == ["rebinding.example"] * 2  # at creation, and once at the delivery
    assert len(judged.asked) == 1


async def test_open_mercato_pr_1735_an_endpoint_that_sends_us_elsewhere_is_not_followed(
    world: World,
) -> None:
    """Checked once, and then sent on: here nothing is followed, wherever it leads."""
    world, inner = told(world), Listening()
    async with running(inner) as inside:
        redirecting = Listening(307, f"{inside}/latest/meta-data")
        async with running(redirecting) as outside:
            await endpoint(world, outside)
            await happen(world)
            await deliver(world)
    assert len(redirecting.calls) == 1
    assert inner.calls == []
