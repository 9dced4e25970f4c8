"""The checkout page: what it shows a person in each situation, and that no pressing does harm."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.flows.signing_up import HERE, after, price, work
from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.domain.payment import State
from twintill.store import brakes


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def checkout(shop: Shop, **params: object) -> str:
    signup = await shop.sign_up(**params)
    checkout_id: str = signup["checkout"]["id"]
    return checkout_id


def heading(page: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    assert found is not None
    return found[1]


async def test_it_shows_what_and_how_much_in_the_readers_way(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    page = await shop.page(checkout_id, **{"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"})
    assert page.status_code == 200
    assert "Pro plan, monthly" in page.text
    assert "49,00\xa0€" in page.text
    assert '<option value="DE" selected>Germany</option>' in page.text
    assert "€49.00" in (await shop.page(checkout_id)).text
    assert "€49.00" in (await shop.page(checkout_id, **{"Accept-Language": "zz;q=x,*"})).text


async def test_whole_currencies_show_no_decimals(shop: Shop) -> None:
    yen = await price(shop.world, 4900, "jpy")
    page = await shop.page(await checkout(shop, items=[{"price": yen}]))
    assert "¥4,900" in page.text


async def test_no_script_no_foreign_asset_nothing_stored(shop: Shop) -> None:
    page = await shop.page(await checkout(shop))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|srcset)="', page.text)


async def test_what_the_app_wrote_is_escaped(shop: Shop) -> None:
    page = await shop.page(await checkout(shop, description='<b>Bold</b> & "quoted"'))
    assert "<b>Bold</b>" not in page.text
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp;" in page.text


async def test_an_unknown_page_is_a_page(shop: Shop) -> None:
    for path in ("/checkout/chk_none", "/checkout/chk_none/return"):
        page = await shop.browser.get(path)
        assert page.status_code == 404
        assert "There is no such page" in heading(page)


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({}, "country", "Choose your country."),
        ({"country": "XX"}, "country", "Choose your country."),
        ({"country": "DE"}, "postal_code", "Enter your postal code."),
        ({"country": "DE", "postal_code": "00000"}, "postal_code", "We cannot find this place."),
        (
            {"country": "US", "postal_code": "9410", "state": "CA"},
            "postal_code",
            "Enter a ZIP code of five digits",
        ),
        ({"country": "US", "postal_code": "94105"}, "state", "Enter the two letters"),
    ],
)
async def test_what_is_wrong_stands_beside_the_field_and_nothing_typed_is_lost(
    shop: Shop, typed: dict[str, str], field: str, sentence: str
) -> None:
    page = await shop.submit(await checkout(shop), city="Berlin & Bonn", **typed)
    assert page.status_code == 422
    assert f'href="#{field}">{sentence}' in page.text
    assert f'id="{field}-why">{sentence}' in page.text
    wrong = re.search(rf'<(?:input|select) id="{field}"[^>]*>', page.text)
    assert wrong is not None
    assert 'aria-invalid="true"' in wrong[0]
    assert f"{field}-why" in wrong[0]
    assert 'value="Berlin &amp; Bonn"' in page.text
    assert "<title>Error: " in page.text


async def test_the_address_and_the_ip_reach_stripe(shop: Shop) -> None:
    signup = await shop.sign_up()
    await shop.submit(signup["checkout"]["id"], **HERE, line1="Weg 1", city="Berlin")
    customer = await shop.world.means.stripe.client.v1.customers.retrieve_async(
        signup["customer"], {"expand": ["tax"]}
    )
    shown = customer.to_dict(for_json=True)
    assert shown["address"]["postal_code"] == "10115"
    assert shown["address"]["line1"] == "Weg 1"
    assert shown["tax"]["ip_address"] == "127.0.0.1"


async def test_the_way_to_paid(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    there = await shop.submit(checkout_id, **HERE)
    assert there.status_code == 303
    back = await shop.choose(there.headers["location"], "card_ok")
    assert (back.status_code, back.headers["location"]) == (303, f"/checkout/{checkout_id}")
    waiting = await shop.page(checkout_id)
    assert heading(waiting) == "Your payment is being processed"
    assert '<meta http-equiv="refresh" content="3">' in waiting.text
    await work(shop.world)
    paid = await shop.page(checkout_id)
    assert heading(paid) == "Thank you"
    assert 'href="https://app.example/welcome"' in paid.text
    assert "http-equiv" not in paid.text


async def test_pressing_twice_and_in_two_tabs_leads_to_one_set_up(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    first = await shop.submit(checkout_id, **HERE)
    second = await shop.submit(checkout_id, **HERE)
    assert first.headers["location"] == second.headers["location"]
    for _ in range(2):
        await shop.choose(first.headers["location"], "card_ok")
    third = await shop.submit(checkout_id, **HERE)
    assert third.headers["location"] == f"/checkout/{checkout_id}"
    await work(shop.world)
    assert len(await shop.world.charges()) == 1


async def test_the_browser_that_never_comes_back(shop: Shop) -> None:
    signup = await shop.sign_up()
    there = await shop.submit(signup["checkout"]["id"], **HERE)
    async with httpx.AsyncClient() as browser:
        await browser.post(there.headers["location"], data={"method": "card_ok"})
    await work(shop.world)
    await shop.world.advance(timedelta(minutes=1))
    await work(shop.world)
    assert (await shop.get(f"/v1/signups/{signup['id']}"))["state"] == "active"


async def test_coming_back_without_having_chosen(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    there = await shop.submit(checkout_id, **HERE)
    await shop.browser.get(f"/checkout/{checkout_id}/return?setup_session=ses_forged")
    assert heading(await shop.page(checkout_id)) == "Check out"
    session = there.headers["location"].rpartition("/")[2]
    headers = {"Authorization": "Bearer sandbox_key_1"}
    await shop.world.processor.post(f"/v1/setup_sessions/{session}/cancel", headers=headers)
    await shop.browser.get(f"/checkout/{checkout_id}/return")
    assert "You did not finish choosing" in (await shop.page(checkout_id)).text
    again = await shop.submit(checkout_id, **HERE)
    assert again.headers["location"] != there.headers["location"]
    await shop.choose(again.headers["location"], "card_ok")
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "Thank you"


async def test_declined_then_another_method(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    await shop.pay(checkout_id, "card_declined")
    declined = await shop.page(checkout_id)
    assert heading(declined) == "The payment was declined"
    assert "insufficient" not in declined.text
    assert "Otherwise we try this one again on" in declined.text
    there = await shop.submit(checkout_id, "/method")
    await shop.choose(there.headers["location"], "card_ok")
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "Thank you"
    assert [c["amount"] for c in await shop.world.charges()] == [4900]


async def test_an_approval_is_asked_for_with_a_link(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    await shop.pay(checkout_id, "card_needs_customer")
    page = await shop.page(checkout_id)
    assert heading(page) == "Your approval is needed"
    assert re.search(r'class="button" href="http://127[^"]+/actions/', page.text)


async def test_a_bank_debit_is_on_its_way(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    await shop.pay(checkout_id, "debit_ok")
    page = await shop.page(checkout_id)
    assert heading(page) == "Payment on its way"
    assert "http-equiv" not in page.text


async def test_while_charging_is_paused_the_page_says_that_it_waits(shop: Shop) -> None:
    async with shop.world.db() as db:
        await brakes.trip(db, SCOPE, "sandbox", "a test", "person:ada")
    checkout_id = await checkout(shop)
    await shop.pay(checkout_id)
    held = await shop.page(checkout_id)
    assert heading(held) == "Your payment has to wait a little"
    assert "Nothing was charged" in held.text
    async with shop.world.db() as db:
        await brakes.release(db, SCOPE, "sandbox", "person:ada", "looked at it")
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "Thank you"


async def test_a_higher_amount_is_asked_about_and_an_old_yes_counts_for_nothing(
    shop: Shop,
) -> None:
    checkout_id = await checkout(shop, automatic_tax=True)
    await shop.pay(checkout_id)
    page = await shop.page(checkout_id)
    assert heading(page) == "The amount has changed"
    assert "<s>€49.00</s>" in page.text
    assert "Yes, pay €58.31" in page.text
    for amount in ("4900", "x", "58.31", "-1", "\u0665"):
        await shop.submit(checkout_id, "/confirm", amount=amount)
    await work(shop.world)
    assert await shop.world.charges() == []
    for _ in range(2):
        await shop.submit(checkout_id, "/confirm", amount="5831")
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "Thank you"
    assert [c["amount"] for c in await shop.world.charges()] == [5831]


async def test_no_to_the_higher_amount(shop: Shop) -> None:
    signup = await shop.sign_up(automatic_tax=True)
    await shop.pay(signup["checkout"]["id"])
    answer = await shop.submit(signup["checkout"]["id"], "/decline")
    assert answer.status_code == 303
    page = await shop.page(signup["checkout"]["id"])
    assert heading(page) == "This checkout is closed"
    assert 'href="https://app.example/pricing"' in page.text
    assert (await shop.get(f"/v1/signups/{signup['id']}"))["state"] == "expired"


async def test_a_trial_says_that_nothing_is_due(shop: Shop) -> None:
    checkout_id = await checkout(shop, trial_period_days=7)
    page = await shop.page(checkout_id)
    assert "€0.00" in page.text
    assert "Nothing is charged today" in page.text
    await shop.pay(checkout_id)
    assert "Nothing is due today" in (await shop.page(checkout_id)).text


async def test_after_its_time_it_is_closed_and_stays_closed(shop: Shop) -> None:
    signup = await shop.sign_up()
    checkout_id = signup["checkout"]["id"]
    there = await shop.submit(checkout_id, **HERE)
    await shop.world.advance(after(shop.world.means))
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "This checkout is closed"
    await shop.browser.get(f"/checkout/{checkout_id}/return")
    for form in ("", "/method", "/confirm", "/decline"):
        assert (await shop.submit(checkout_id, form, **HERE)).status_code == 303
    await work(shop.world)
    assert heading(await shop.page(checkout_id)) == "This checkout is closed"
    payment = await shop.get(f"/v1/payments/{signup['payment']}")
    assert payment["state"] == State.CANCELED
    async with httpx.AsyncClient() as browser:
        assert (await browser.post(there.headers["location"], data={"method": "card_ok"})).is_error


async def test_forms_of_other_sites_are_refused(shop: Shop) -> None:
    path = f"/checkout/{await checkout(shop)}"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = await shop.browser.post(path, data=HERE, headers=headers)
        assert answer.status_code == 403
    ours = {"Origin": shop.world.means.public_url, "Sec-Fetch-Site": "same-origin"}
    assert (await shop.browser.post(path, data=HERE, headers=ours)).status_code == 303


async def test_a_currency_that_the_processor_does_not_take_is_said_before_a_method_is_chosen(
    shop: Shop,
) -> None:
    checkout_id = await checkout(shop)
    async with shop.world.db() as db:
        await db.execute(text("UPDATE checkouts SET currency = 'BIF'"))
    with capture_logs() as logs:
        page = await shop.submit(checkout_id, **HERE)
    assert page.status_code == 503
    assert "trying again will not help" in page.text
    (told,) = [line for line in logs if line["event"] == "setup_not_started"]
    assert "does not take BIF: bill in another currency" in told["why"]


async def test_when_the_processor_is_away_the_page_says_so_and_keeps_the_address(
    shop: Shop,
) -> None:
    checkout_id = await checkout(shop)
    await shop.world.break_processor("/v1/setup_sessions", "status", code=500)
    with capture_logs() as logs:
        page = await shop.submit(checkout_id, **HERE)
    assert page.status_code == 503
    assert "We cannot reach the payment provider right now" in page.text
    (told,) = [line for line in logs if line["event"] == "setup_not_started"]
    assert told["why"]
    assert checkout_id not in str(logs)  # it opens the page
    assert (await shop.submit(checkout_id, **HERE)).status_code == 303


async def test_when_stripe_is_away_the_page_says_so(shop: Shop) -> None:
    checkout_id = await checkout(shop)
    await shop.world.break_stripe("/v1/customers", "status", code=500, times=3)
    page = await shop.submit(checkout_id, **HERE)
    assert page.status_code == 503
    assert 'value="10115"' in page.text
