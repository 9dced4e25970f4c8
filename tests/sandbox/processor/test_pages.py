"""The pages for a person, as a browser without JavaScript uses them."""

import re
from datetime import datetime

import httpx
import pytest

from tests.sandbox.processor.client import Client
from twintill.sandbox.processor.magic import METHODS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start(sandbox: Client, **fields: str) -> dict[str, str]:
    order = {
        "customer_reference": "customer-1",
        "return_url": "https://shop.example/back?order=7",
        "cancel_url": "https://shop.example/cart",
        "currency": "EUR",
        "description": "Team plan",
    }
    answer = await sandbox.post("/v1/setup_sessions", **(order | fields))
    answer.raise_for_status()
    session: dict[str, str] = answer.json()
    return session


async def show(sandbox: Client, url: str) -> httpx.Response:
    """As a browser: without the API key."""
    return await sandbox.http.get(url, headers={"Authorization": ""})


async def test_the_page_offers_every_method_and_a_way_out(sandbox: Client) -> None:
    session = await start(sandbox)
    page = await show(sandbox, session["url"])
    assert page.status_code == 200
    offered = re.findall(r'<input type="radio" name="method" value="(\w+)"', page.text)
    assert offered == list(METHODS)
    assert page.text.count("<label") == len(METHODS)
    assert 'href="https://shop.example/cart"' in page.text
    assert "<script" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_choosing_stores_the_method_and_leads_back(sandbox: Client) -> None:
    session = await start(sandbox)
    answer = await sandbox.http.post(session["url"], data={"method": "debit_ok"})
    assert answer.status_code == 303
    back = httpx.URL(answer.headers["location"])
    assert back.host == "shop.example"
    assert dict(back.params) == {"order": "7", "setup_session": session["id"]}
    result = await sandbox.get(f"/v1/setup_sessions/{session['id']}")
    assert (result["status"], result["method"]["kind"]) == ("complete", "bank_debit")


async def test_a_card_that_expires_soon_says_so(sandbox: Client) -> None:
    session = await start(sandbox)
    await sandbox.http.post(session["url"], data={"method": "card_expires_soon"})
    method = (await sandbox.get(f"/v1/setup_sessions/{session['id']}"))["method"]
    chosen_at = datetime.fromisoformat(method["created"])
    assert method["display"]["exp"] == f"{chosen_at:%m/%y}"


async def test_choosing_twice_stores_one_method(sandbox: Client) -> None:
    session = await start(sandbox)
    for magic in ("card_ok", "debit_ok"):
        answer = await sandbox.http.post(session["url"], data={"method": magic})
        assert answer.status_code == 303
    state = (await sandbox.http.get("/_sandbox/state")).json()
    assert [method["kind"] for method in state["methods"]] == ["card"]


async def test_choosing_nothing_shows_the_page_again(sandbox: Client) -> None:
    session = await start(sandbox)
    for form in ({}, {"method": "gold"}):
        answer = await sandbox.http.post(session["url"], data=form)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert (await sandbox.get(f"/v1/setup_sessions/{session['id']}"))["status"] == "open"


async def test_an_expired_page_stores_nothing(sandbox: Client) -> None:
    session = await start(sandbox)
    await sandbox.pass_days(1)
    assert "expired" in (await show(sandbox, session["url"])).text
    answer = await sandbox.http.post(session["url"], data={"method": "card_ok"})
    assert answer.status_code == 409
    assert (await sandbox.get(f"/v1/setup_sessions/{session['id']}"))["method"] is None


async def test_what_the_merchant_writes_stays_text(sandbox: Client) -> None:
    session = await start(sandbox, description="<script>alert(1)</script>")
    page = await show(sandbox, session["url"])
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "/relative", ""])
async def test_only_web_addresses_are_linked(sandbox: Client, url: str) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        await start(sandbox, cancel_url=url)


async def test_the_same_customer_keeps_his_id(sandbox: Client) -> None:
    first, second = await start(sandbox), await start(sandbox)
    other = await start(sandbox, customer_reference="customer-2")
    assert first["customer"] == second["customer"] != other["customer"]


@pytest.mark.parametrize(
    ("decision", "status"),
    [("approve", "succeeded"), ("refuse", "declined"), ("", "requires_action")],
)
async def test_the_customer_decides_on_the_action_page(
    sandbox: Client, decision: str, status: str
) -> None:
    charge = await sandbox.charge("card_needs_customer", amount=123_456)
    assert "€1,234.56" in (await show(sandbox, charge["action_url"])).text
    answer = await sandbox.http.post(charge["action_url"], data={"decision": decision})
    assert answer.status_code == 303
    assert (await sandbox.get(f"/v1/charges/{charge['id']}"))["status"] == status


async def test_what_does_not_exist_is_said_plainly(sandbox: Client) -> None:
    for path in ("/setup/ses_none", "/actions/chg_none"):
        assert (await show(sandbox, path)).status_code == 404
        assert (await sandbox.http.post(path)).status_code == 404
