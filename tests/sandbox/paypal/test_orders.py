"""One call: an order with a stored wallet, and its capture."""

import asyncio

import httpx
import pytest

from tests.sandbox.paypal.merchant import Merchant, capture_in, issue, order

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORDERS = "/v2/checkout/orders"


async def test_a_wallet_is_charged(merchant: Merchant) -> None:
    answer = await merchant.charge(value="49", description="Team plan")
    capture = capture_in(answer.json())
    assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETED")
    assert (capture["status"], capture["amount"]["value"]) == ("COMPLETED", "49.00")
    assert (capture["invoice_id"], capture["custom_id"]) == ("in_1", "tw-1")
    assert capture["seller_receivable_breakdown"] == {
        "gross_amount": {"currency_code": "EUR", "value": "49.00"},
        "paypal_fee": {"currency_code": "EUR", "value": "1.85"},
        "net_amount": {"currency_code": "EUR", "value": "47.15"},
    }
    shown = (await merchant.get(f"/v2/payments/captures/{capture['id']}")).json()
    assert shown == capture
    order_id = shown["supplementary_data"]["related_ids"]["order_id"]
    assert (await merchant.get(f"{ORDERS}/{order_id}")).json() == answer.json()
    event = await merchant.event("PAYMENT.CAPTURE.COMPLETED")
    assert (event["resource_type"], event["resource"]) == ("capture", capture)


async def test_without_a_wish_for_more_little_is_answered(merchant: Merchant) -> None:
    body, headers = order(await merchant.wallet("card_ok")), {"PayPal-Request-Id": "k"}
    answer = await merchant.http.post(ORDERS, json=body, headers=headers)
    assert answer.json().keys() == {"id", "status", "links"}


@pytest.mark.parametrize(
    ("magic", "refusal"),
    [
        ("card_declined", "INSTRUMENT_DECLINED"),
        ("card_hard_declined", "PAYER_CANNOT_PAY"),
        ("card_expired", "CARD_EXPIRED"),
        ("card_needs_customer", "PAYER_ACTION_REQUIRED"),
    ],
)
async def test_a_decline_is_an_error_and_no_capture(
    merchant: Merchant, magic: str, refusal: str
) -> None:
    answer = await merchant.charge(magic)
    assert issue(answer) == (422, refusal)
    assert answer.json()["name"] == "UNPROCESSABLE_ENTITY"
    assert await merchant.told() == []
    # The id of what did nothing is free, and so is the invoice's.
    assert (await merchant.charge("card_ok")).status_code == 201


async def test_a_refused_id_may_succeed_later(merchant: Merchant) -> None:
    token = await merchant.wallet("card_declines_once")
    assert (await merchant.charge_wallet(token, key="k")).status_code == 422
    assert (await merchant.charge_wallet(token, key="k")).status_code == 201


async def test_the_risk_filters_decline_the_capture(merchant: Merchant) -> None:
    capture = await merchant.capture("card_stolen")
    assert capture["status"] == "DECLINED"
    assert capture["status_details"] == {"reason": "DECLINED_BY_RISK_FRAUD_FILTERS"}
    assert await merchant.told() == ["PAYMENT.CAPTURE.DECLINED"]
    assert (await merchant.charge("card_ok")).status_code == 201


@pytest.mark.parametrize(
    ("magic", "after_days", "status", "told"),
    [
        ("debit_ok", 3, "COMPLETED", "PAYMENT.CAPTURE.COMPLETED"),
        ("debit_fails", 3, "DECLINED", "PAYMENT.CAPTURE.DECLINED"),
    ],
)
async def test_an_echeck_is_decided_days_later(
    merchant: Merchant, magic: str, after_days: int, status: str, told: str
) -> None:
    capture = await merchant.capture(magic)
    assert (capture["status"], capture["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    assert "seller_receivable_breakdown" not in capture
    assert issue(await merchant.charge("card_ok")) == (422, "DUPLICATE_INVOICE_ID")
    await merchant.pass_days(after_days)
    shown = (await merchant.get(f"/v2/payments/captures/{capture['id']}")).json()
    assert shown["status"] == status
    assert await merchant.told() == ["PAYMENT.CAPTURE.PENDING", told]


async def test_an_echeck_that_comes_back_is_told_as_a_reversal(merchant: Merchant) -> None:
    capture = await merchant.capture("debit_fails_late")
    await merchant.pass_days(9)
    event = await merchant.event("PAYMENT.CAPTURE.REVERSED")
    up = [one["href"] for one in event["resource"]["links"] if one["rel"] == "up"]
    assert event["resource_type"] == "refund"
    assert up[0].endswith(f"/v2/payments/captures/{capture['id']}")
    shown = (await merchant.get(f"/v2/payments/captures/{capture['id']}")).json()
    assert shown["status"] == "DECLINED"


async def test_one_invoice_is_charged_once(merchant: Merchant) -> None:
    await merchant.capture(invoice_id="in_9")
    again = await merchant.charge(invoice_id="in_9", custom_id="tw-2")
    assert issue(again) == (422, "DUPLICATE_INVOICE_ID")


@pytest.mark.parametrize(
    ("value", "currency", "refusal"),
    [
        ("10.50", "HUF", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.00", "JPY", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.5", "TWD", (422, "DECIMALS_NOT_SUPPORTED")),
        ("10.505", "EUR", (422, "DECIMAL_PRECISION")),
        ("0.00", "EUR", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("-1.00", "EUR", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("10000000.00", "EUR", (422, "MAX_VALUE_EXCEEDED")),
        ("10.00", "ISK", (422, "CURRENCY_NOT_SUPPORTED")),
        ("10.00", "eur", (422, "INVALID_CURRENCY_CODE")),
        ("ten", "EUR", (400, "INVALID_PARAMETER_SYNTAX")),
    ],
)
async def test_an_amount_that_paypal_does_not_take(
    merchant: Merchant, value: str, currency: str, refusal: tuple[int, str]
) -> None:
    assert issue(await merchant.charge(value=value, currency=currency)) == refusal


async def test_forints_have_no_decimals(merchant: Merchant) -> None:
    assert (await merchant.capture(value="1050", currency="HUF"))["amount"]["value"] == "1050"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"intent": None}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"intent": "AUTHORIZE"}, (400, "INVALID_PARAMETER_VALUE")),
        ({"purchase_units": []}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"purchase_units": [{}]}, (400, "MISSING_REQUIRED_PARAMETER")),
        (
            {"purchase_units": [{"amount": {}}, {"amount": {}}]},
            (422, "MERCHANT_INITIATED_WITH_MULTIPLE_PURCHASE_UNITS"),
        ),
        ({"payment_source": {"paypal": {"vault_id": "nobody12"}}}, (422, "TOKEN_ID_NOT_FOUND")),
    ],
)
async def test_an_order_that_says_too_little(
    merchant: Merchant, change: dict[str, object], refusal: tuple[int, str]
) -> None:
    body = order(await merchant.wallet("card_ok")) | change
    assert issue(await merchant.post(ORDERS, body)) == refusal


async def test_ids_of_ours_have_their_length(merchant: Merchant) -> None:
    assert issue(await merchant.charge(custom_id="x" * 128)) == (400, "INVALID_STRING_LENGTH")


async def test_no_order_is_paid_without_a_request_id(merchant: Merchant) -> None:
    body = order(await merchant.wallet("card_ok"))
    answer = await merchant.http.post(ORDERS, json=body)
    assert issue(answer) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    malformed = await merchant.http.post(ORDERS, content=b"{", headers={"PayPal-Request-Id": "k"})
    assert issue(malformed) == (400, "MALFORMED_REQUEST_JSON")


async def test_the_same_id_answers_the_latest_state_for_six_hours(merchant: Merchant) -> None:
    token = await merchant.wallet("debit_ok")
    first = await merchant.charge_wallet(token, key="k")
    again = await merchant.charge_wallet(token, key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    other = await merchant.charge_wallet(token, key="k", value="50.00")
    assert issue(other) == (422, "DUPLICATE_REQUEST_ID")
    await merchant.pass_days(0.3)
    late = await merchant.charge_wallet(token, key="k")
    assert issue(late) == (422, "DUPLICATE_INVOICE_ID")


async def test_a_replay_shows_what_has_happened_since(merchant: Merchant) -> None:
    token = await merchant.wallet("card_ok")
    first = capture_in((await merchant.charge_wallet(token, key="k")).json())
    await merchant.post(f"/v2/payments/captures/{first['id']}/refund", {})
    again = capture_in((await merchant.charge_wallet(token, key="k")).json())
    assert (again["id"], again["status"]) == (first["id"], "REFUNDED")


async def test_of_two_at_once_the_second_is_refused(merchant: Merchant) -> None:
    token = await merchant.wallet("card_slow")
    first = asyncio.create_task(merchant.charge_wallet(token, key="k"))
    second = await _once_it_is_refused(merchant, token)
    assert issue(second) == (409, "PREVIOUS_REQUEST_IN_PROGRESS")
    assert (await first).status_code == 201


async def _once_it_is_refused(merchant: Merchant, token: str) -> httpx.Response:
    while True:
        requests = (await merchant.http.get("/_sandbox/requests")).json()
        if any(one["path"] == ORDERS for one in requests):
            return await merchant.charge_wallet(token, key="k")


async def test_an_answer_that_was_lost_is_found_under_its_id(merchant: Merchant) -> None:
    token = await merchant.wallet("card_answer_lost")
    headers = {"PayPal-Request-Id": "k"}
    with pytest.raises(httpx.ReadTimeout):
        await merchant.http.post(ORDERS, json=order(token), headers=headers, timeout=0.3)
    again = await merchant.charge_wallet(token, key="k")
    assert (again.status_code, capture_in(again.json())["status"]) == (200, "COMPLETED")


async def test_a_server_error_may_have_charged(merchant: Merchant) -> None:
    token = await merchant.wallet("card_error")
    broken = await merchant.charge_wallet(token, key="k")
    assert (broken.status_code, broken.json()["name"]) == (500, "INTERNAL_SERVER_ERROR")
    assert (await merchant.charge_wallet(token, key="k")).status_code == 200


async def test_ordered_faults_hit_paypals_own_paths(merchant: Merchant) -> None:
    match = {"method": "POST", "path_regex": "^/v2/checkout/orders$"}
    await merchant.admin("faults", kind="status", code=429, body={}, match=match)
    token = await merchant.wallet("card_ok")
    assert (await merchant.charge_wallet(token)).status_code == 429
    assert (await merchant.charge_wallet(token)).status_code == 201
