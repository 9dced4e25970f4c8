"""Money that goes back: refunds, and the reasons for which PayPal makes none."""

import pytest

from tests.sandbox.paypal.merchant import Json, Merchant, issue

pytestmark = pytest.mark.asyncio(loop_scope="module")


def path(capture: Json) -> str:
    return f"/v2/payments/captures/{capture['id']}/refund"


def euros(value: str, **fields: str) -> Json:
    return {"amount": {"currency_code": "EUR", "value": value}, **fields}


async def test_parts_and_the_rest_go_back(merchant: Merchant) -> None:
    capture = await merchant.capture()
    part = await merchant.post(path(capture), euros("9.00", custom_id="rf-1"))
    assert (part.status_code, part.json()["status"]) == (201, "COMPLETED")
    assert part.json()["custom_id"] == "rf-1"
    shown = (await merchant.get(f"/v2/payments/captures/{capture['id']}")).json()
    assert shown["status"] == "PARTIALLY_REFUNDED"

    rest = await merchant.post(path(capture), {})
    assert rest.json()["amount"]["value"] == "40.00"
    assert rest.json()["seller_payable_breakdown"]["total_refunded_amount"]["value"] == "49.00"
    again = await merchant.get(f"/v2/payments/refunds/{rest.json()['id']}")
    assert again.json() == rest.json()
    assert issue(await merchant.post(path(capture), {})) == (422, "CAPTURE_FULLY_REFUNDED")
    assert await merchant.told() == ["PAYMENT.CAPTURE.COMPLETED", *["PAYMENT.CAPTURE.REFUNDED"] * 2]


async def test_an_order_lists_its_refunds(merchant: Merchant) -> None:
    capture = await merchant.capture()
    refund = (await merchant.post(path(capture), euros("9.00"))).json()
    order_id = capture["supplementary_data"]["related_ids"]["order_id"]
    order = (await merchant.get(f"/v2/checkout/orders/{order_id}")).json()
    assert order["purchase_units"][0]["payments"]["refunds"] == [refund]


async def test_a_request_id_is_kept_for_45_days(merchant: Merchant) -> None:
    capture = await merchant.capture()
    first = await merchant.post(path(capture), euros("9.00"), key="k")
    await merchant.pass_days(40)
    again = await merchant.post(path(capture), euros("9.00"), key="k")
    assert (again.status_code, again.json()) == (201, first.json())
    await merchant.pass_days(10)
    late = await merchant.post(path(capture), euros("9.00"), key="k")
    assert late.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (euros("49.01"), (422, "REFUND_AMOUNT_EXCEEDED")),
        (
            {"amount": {"currency_code": "USD", "value": "1.00"}},
            (422, "REFUND_CAPTURE_CURRENCY_MISMATCH"),
        ),
        (euros("1.001"), (422, "DECIMAL_PRECISION")),
        (euros("0"), (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        (euros("1.00", custom_id="x" * 128), (400, "INVALID_STRING_LENGTH")),
    ],
)
async def test_a_refund_that_cannot_be(
    merchant: Merchant, body: Json, refusal: tuple[int, str]
) -> None:
    assert issue(await merchant.post(path(await merchant.capture()), body)) == refusal


async def test_what_never_came_does_not_go_back(merchant: Merchant) -> None:
    pending = await merchant.capture("debit_fails")
    assert issue(await merchant.post(path(pending), {})) == (422, "PENDING_CAPTURE")
    await merchant.pass_days(3)
    assert issue(await merchant.post(path(pending), {})) == (422, "REFUND_NOT_ALLOWED")
    unknown = await merchant.post(path({"id": "0PG12345AB678901C"}), {})
    assert issue(unknown) == (404, "INVALID_RESOURCE_ID")


async def test_after_half_a_year_nothing_goes_back(merchant: Merchant) -> None:
    capture = await merchant.capture()
    await merchant.pass_days(181)
    assert issue(await merchant.post(path(capture), {})) == (422, "REFUND_TIME_LIMIT_EXCEEDED")


async def test_a_refund_may_fail_days_later(merchant: Merchant) -> None:
    capture = await merchant.capture("card_refund_fails")
    refund = (await merchant.post(path(capture), {})).json()
    assert (refund["status"], refund["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    await merchant.pass_days(2)
    shown = (await merchant.get(f"/v2/payments/refunds/{refund['id']}")).json()
    assert shown["status"] == "FAILED"
    failed = (await merchant.event("PAYMENT.REFUND.FAILED"))["resource"]
    assert failed["id"] == refund["id"]
