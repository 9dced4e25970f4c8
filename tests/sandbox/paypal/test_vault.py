"""Storing a wallet: a setup token, the buyer's yes, a payment token."""

from typing import Any

import httpx
import pytest

from tests.sandbox.paypal.merchant import Merchant, issue, wallet_order

pytestmark = pytest.mark.asyncio(loop_scope="module")


def exchange(setup: str) -> dict[str, object]:
    return {"payment_source": {"token": {"id": setup, "type": "SETUP_TOKEN"}}}


def link(answer: httpx.Response, rel: str) -> str:
    (href,) = [one["href"] for one in answer.json()["links"] if one["rel"] == rel]
    return str(href)


async def test_a_buyer_approves_and_comes_back_with_the_token(merchant: Merchant) -> None:
    started = await merchant.start_setup(description="Team plan")
    setup = started.json()["id"]
    assert (started.status_code, started.json()["status"]) == (201, "PAYER_ACTION_REQUIRED")
    page = await merchant.http.get(link(started, "approve"))
    assert "Sandbox PayPal" in page.text
    back = await merchant.http.post(link(started, "approve"), data={"method": "card_ok"})
    query = dict(httpx.URL(back.headers["location"]).params)
    assert query == {"a": "1", "approval_token_id": setup, "approval_session_id": setup}

    approved = (await merchant.get(f"/v3/vault/setup-tokens/{setup}")).json()
    assert approved["status"] == "APPROVED"
    made = await merchant.post("/v3/vault/payment-tokens", exchange(setup))
    token, customer = made.json()["id"], made.json()["customer"]["id"]
    assert made.status_code == 201
    assert customer == started.json()["customer"]["id"]
    shown = (await merchant.get(f"/v3/vault/payment-tokens/{token}")).json()
    assert shown["payment_source"]["paypal"]["email_address"] == "buyer-4242@example.com"
    listed = (await merchant.get("/v3/vault/payment-tokens", customer_id=customer)).json()
    assert [one["id"] for one in listed["payment_tokens"]] == [token]
    assert (await merchant.event("VAULT.PAYMENT-TOKEN.CREATED"))["resource"]["id"] == token


async def test_the_browser_never_comes_back(merchant: Merchant) -> None:
    setup = (await merchant.start_setup()).json()["id"]
    early = await merchant.post("/v3/vault/payment-tokens", exchange(setup))
    assert issue(early) == (422, "PAYER_ACTION_REQUIRED")
    await merchant.admin(f"setup_sessions/{setup}/complete", method="wallet_ok")
    shown = await merchant.get(f"/v3/vault/setup-tokens/{setup}")
    assert shown.json()["status"] == "APPROVED"


async def test_a_setup_token_is_used_once_and_for_three_hours(merchant: Merchant) -> None:
    setup = (await merchant.start_setup()).json()["id"]
    await merchant.admin(f"setup_sessions/{setup}/complete", method="wallet_ok")
    first = await merchant.post("/v3/vault/payment-tokens", exchange(setup), key="once")
    again = await merchant.post("/v3/vault/payment-tokens", exchange(setup), key="once")
    assert (again.status_code, again.json()) == (200, first.json())
    other = await merchant.post("/v3/vault/payment-tokens", exchange(setup))
    assert issue(other) == (422, "SETUP_TOKEN_ALREADY_TOKENIZED")

    left = (await merchant.start_setup()).json()["id"]
    await merchant.pass_days(0.2)
    assert issue(await merchant.get(f"/v3/vault/setup-tokens/{left}")) == (
        404,
        "INVALID_RESOURCE_ID",
    )


async def test_what_was_approved_and_not_exchanged_is_no_payment_token(merchant: Merchant) -> None:
    started = (await merchant.start_setup()).json()
    path = f"setup_sessions/{started['id']}/complete"
    token = (await merchant.admin(path, method="card_ok"))["method"]["token"]
    assert (await merchant.get(f"/v3/vault/payment-tokens/{token}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"usage_type": None}, "MISSING_REQUIRED_PARAMETER"),
        ({"usage_type": "FUN"}, "INVALID_PARAMETER_VALUE"),
        ({"usage_pattern": "NOW_AND_THEN"}, "INVALID_PARAMETER_VALUE"),
        ({"experience_context": {"return_url": "https://a.example"}}, "MISSING_REQUIRED_PARAMETER"),
        ({"description": "a – b"}, "INVALID_PARAMETER_SYNTAX"),
        ({"description": "a" * 129}, "INVALID_STRING_LENGTH"),
    ],
)
async def test_a_wrong_field_is_refused(
    merchant: Merchant, fields: dict[str, Any], refusal: str
) -> None:
    assert issue(await merchant.start_setup(**fields)) == (400, refusal)


async def test_a_customer_id_has_at_most_22_characters(merchant: Merchant) -> None:
    body = wallet_order() | {"customer": {"id": "c" * 23}}
    answer = await merchant.post("/v3/vault/setup-tokens", body)
    assert issue(answer) == (400, "INVALID_STRING_LENGTH")


async def test_an_id_is_required_and_bound_to_its_request(merchant: Merchant) -> None:
    without = await merchant.http.post("/v3/vault/setup-tokens", json=wallet_order())
    assert issue(without) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    first = await merchant.start_setup(key="k")
    again = await merchant.start_setup(key="k")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    other = await merchant.start_setup(key="k", description="Another plan")
    assert issue(other) == (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
    await merchant.pass_days(0.2)
    assert (await merchant.start_setup(key="k")).json()["id"] != first.json()["id"]


async def test_a_token_is_deleted_by_us_or_by_the_buyer(merchant: Merchant) -> None:
    ours, his = await merchant.wallet("card_ok"), await merchant.wallet("card_ok")
    assert (await merchant.delete(f"/v3/vault/payment-tokens/{ours}")).status_code == 204
    assert (await merchant.get(f"/v3/vault/payment-tokens/{ours}")).status_code == 404
    assert await merchant.told() == [
        "VAULT.PAYMENT-TOKEN.DELETION-INITIATED",
        "VAULT.PAYMENT-TOKEN.DELETED",
    ]
    merchant.letters.clear()
    await merchant.admin(f"methods/{his}/revoke_by_customer")
    assert (await merchant.event("VAULT.PAYMENT-TOKEN.DELETED"))["resource"]["id"] == his
    assert issue(await merchant.charge_wallet(his)) == (422, "TOKEN_ID_NOT_FOUND")


async def test_an_account_that_may_not_store_is_told_so(merchant: Merchant) -> None:
    token = await merchant.wallet("card_ok")
    await merchant.admin("account", may_store=False)
    for answer in (await merchant.start_setup(), await merchant.charge_wallet(token)):
        assert issue(answer) == (422, "NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE")
