"""Who is asking: access tokens, wrong ones, and what is not there."""

import pytest

from tests.sandbox.paypal import official
from tests.sandbox.paypal.merchant import Merchant, merchant_of_a_stand_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_credentials_buy_a_token(merchant: Merchant) -> None:
    granted = (await merchant.ask_for_token()).json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 32_400)
    wrong = await merchant.ask_for_token(secret="not it")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


async def test_without_a_good_token_nothing_is_answered(merchant: Merchant) -> None:
    path = "/v2/payments/captures/0PG12345AB678901C"
    without = await merchant.http.get(path, headers={"Authorization": ""})
    assert (without.status_code, without.json()["name"]) == (401, "AUTHENTICATION_FAILURE")
    await merchant.admin("expire_tokens")
    expired = await merchant.get(path)
    assert (expired.status_code, expired.json()["error"]) == (401, "invalid_token")
    await merchant.log_in()
    assert (await merchant.get(path)).status_code == 404


async def test_an_unknown_path_is_answered_as_paypal_does(merchant: Merchant) -> None:
    answer = await merchant.get("/v9/nothing")
    assert (answer.status_code, answer.json()["name"]) == (404, "RESOURCE_NOT_FOUND")
    assert answer.headers["paypal-debug-id"] == answer.json()["debug_id"]


@pytest.mark.skipif(official.folder() is None, reason="PayPal's files are not at hand")
async def test_the_official_files_are_asked() -> None:
    async with merchant_of_a_stand_in() as merchant:
        await merchant.log_in()
        await merchant.start_setup()
        capture = await merchant.capture()
        await merchant.post(f"/v2/payments/captures/{capture['id']}/refund", {})
        assert merchant.official.checked == 3
