"""GoCardless's own Python client, pointed at the stand-in, sees no difference."""

import asyncio
import hashlib
import hmac

import gocardless_pro
import pytest
from gocardless_pro import webhooks
from gocardless_pro.errors import (
    AuthenticationError,
    IdempotentCreationConflictError,
    InvalidSignatureError,
    InvalidStateError,
    ValidationFailedError,
)

from tests.sandbox.gocardless.merchant import SECRET, TOKEN, Json, Merchant
from twintill.sandbox.gocardless import sign

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def client_of(merchant: Merchant, token: str = TOKEN, **more: object) -> gocardless_pro.Client:
    return gocardless_pro.Client(token, base_url=str(merchant.http.base_url), **more)


async def make_mandate(merchant: Merchant, client: gocardless_pro.Client) -> str:
    """As an integration does it: a request, its flow, the payer, and the request again."""
    request = await asyncio.to_thread(
        client.billing_requests.create, params={"mandate_request": {"currency": "GBP"}}
    )
    flow = await asyncio.to_thread(
        client.billing_request_flows.create,
        params={
            "redirect_uri": "https://shop.example/back",
            "exit_uri": "https://shop.example/exit",
            "links": {"billing_request": request.id},
        },
    )
    page = str(flow.authorisation_url)
    assert (await merchant.http.post(page, data={"method": "debit_ok"})).status_code == 303
    done = await asyncio.to_thread(client.billing_requests.get, request.id)
    assert done.status == "fulfilled"
    return str(done.links.mandate_request_mandate)


def order(mandate: str, amount: int = 5000) -> Json:
    return {
        "amount": amount,
        "currency": "GBP",
        "metadata": {"reference": "tw-1"},
        "links": {"mandate": mandate},
    }


async def test_from_a_billing_request_to_a_payout(merchant: Merchant) -> None:
    client = client_of(merchant)
    mandate = await asyncio.to_thread(client.mandates.get, await make_mandate(merchant, client))
    assert (mandate.scheme, mandate.status) == ("bacs", "pending_submission")
    payment = await asyncio.to_thread(client.payments.create, params=order(mandate.id))
    assert (payment.status, payment.links.mandate) == ("pending_submission", mandate.id)
    await merchant.pass_days(8)
    payment = await asyncio.to_thread(client.payments.get, payment.id)
    assert payment.status == "paid_out"
    payout = await asyncio.to_thread(client.payouts.get, payment.links.payout)
    items = await asyncio.to_thread(lambda: list(client.payout_items.all({"payout": payout.id})))
    assert sum(float(item.amount) for item in items) == payout.amount
    refund = await asyncio.to_thread(
        client.refunds.create,
        params={
            "amount": 1000,
            "total_amount_confirmation": 1000,
            "links": {"payment": payment.id},
        },
    )
    assert (refund.status, refund.links.payment) == ("pending_submission", payment.id)
    events = await asyncio.to_thread(lambda: list(client.events.all({"limit": 2})))
    assert [one.action for one in events if one.resource_type == "payments"] == [
        "paid_out",
        "confirmed",
        "submitted",
        "created",
    ]


async def test_the_client_follows_a_used_key_to_what_it_made(merchant: Merchant) -> None:
    client, key = client_of(merchant), {"Idempotency-Key": "key-1"}
    its = order(await make_mandate(merchant, client))
    first = await asyncio.to_thread(client.payments.create, params=its, headers=key)
    again = await asyncio.to_thread(client.payments.create, params=its, headers=key)
    assert again.id == first.id
    strict = client_of(merchant, raise_on_idempotency_conflict=True)
    with pytest.raises(IdempotentCreationConflictError) as conflict:
        await asyncio.to_thread(strict.payments.create, params=its, headers=key)
    assert conflict.value.conflicting_resource_id == first.id


async def test_the_client_knows_each_kind_of_mistake(merchant: Merchant) -> None:
    client = client_of(merchant)
    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(client_of(merchant, "wrong").payments.get, "PM0")
    mandate = await make_mandate(merchant, client)
    with pytest.raises(ValidationFailedError) as wrong:
        await asyncio.to_thread(client.payments.create, params=order(mandate, amount=0))
    assert "amount must be greater than 0" in str(wrong.value)
    payment = await asyncio.to_thread(client.payments.create, params=order(mandate))
    await asyncio.to_thread(client.payments.cancel, payment.id)
    with pytest.raises(InvalidStateError):
        await asyncio.to_thread(client.payments.cancel, payment.id)
    await asyncio.to_thread(client.mandates.cancel, mandate)
    with pytest.raises(InvalidStateError, match="failed, cancelled or expired"):
        await asyncio.to_thread(client.payments.create, params=order(mandate))


async def test_the_client_runs_scenarios_and_reads_the_limits(merchant: Merchant) -> None:
    client = client_of(merchant)
    mandate = await make_mandate(merchant, client)
    payment = await asyncio.to_thread(client.payments.create, params=order(mandate))
    link = {"links": {"resource": payment.id}}
    await asyncio.to_thread(client.scenario_simulators.run, "payment_failed", params=link)
    retried = await asyncio.to_thread(client.payments.retry, payment.id)
    assert retried.status == "pending_submission"
    assert client._api_client.rate_limit.limit == 1000


async def test_the_client_believes_the_signature_and_no_other(merchant: Merchant) -> None:
    await make_mandate(merchant, client_of(merchant))
    await merchant.behind("tick")
    for body, signature in merchant.door.requests:
        parsed = webhooks.parse_with_meta(body, SECRET, signature)
        assert parsed.webhook_id.startswith("WB")
        assert all(event.id.startswith("EV") for event in parsed.events)
        with pytest.raises(InvalidSignatureError):
            webhooks.parse(body + b" ", SECRET, signature)
        with pytest.raises(InvalidSignatureError):
            webhooks.parse(body, "another secret", signature)
    body = '{"events":[],"meta":{"webhook_id":"WB1","note":"ü"}}'.encode()
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert sign(SECRET, body) == expected
    assert webhooks.parse(body, SECRET, sign(SECRET, body)) == []
