"""The story's first part: sign-ups, the checkout page, first invoices, an abandoned checkout."""

import asyncio
from datetime import timedelta
from typing import Any

from twintill.demo import calls
from twintill.demo.browser import Browser, Page
from twintill.demo.people import BUYERS, DAN, EVE, STAYING, Account, Buyer, money
from twintill.demo.stage import Stage
from twintill.demo.starting import CHECKOUT_EXPIRES_AFTER
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import due, expected_at, ordered

_FIRST_LOOK = timedelta(seconds=31)  # after a customer who does not come back
_GRANTED, _EXPIRED = "signup.access_granted", "signup.expired"


async def sign_up(stage: Stage, price_id: str) -> dict[Buyer, Account]:
    """(1) The user's app asks; nobody has paid, and nobody has access."""
    tell = stage.telling
    tell.step(
        1,
        "Five customers sign up",
        "One call; the amount comes from Stripe's own first invoice, never from the app.",
        await stage.database.now(),
    )
    accounts = await asyncio.gather(*(_sign_up(stage, price_id, buyer) for buyer in BUYERS))
    for account in accounts:
        words = f"{account.customer_id}  {account.subscription_id}"
        tell.line(account.name, f"{money(account.shown_minor)} due  {words}")
    tell.line("", f"Ada's page: {accounts[0].checkout_url}")
    first = await calls.get(stage.stripe, f"/v1/subscriptions/{accounts[0].subscription_id}")
    expect(first["status"] == "active", f"Stripe calls it {first['status']}")
    tell.good(
        "Stripe calls these subscriptions active already; Twintill says checkout_open: no access."
    )
    return dict(zip(BUYERS, accounts, strict=True))


async def check_out(stage: Stage, accounts: dict[Buyer, Account]) -> None:
    """(2) Four choose a method, of whom one never comes back; one leaves without choosing."""
    tell, words = stage.telling, stage.till.words
    tell.step(
        2,
        "They open the hosted checkout page",
        f"Plain forms, no script: address and IP reach Stripe for tax, the method {words.title}.",
        await stage.database.now(),
    )
    ada, ben, cleo, dan = (accounts[buyer] for buyer in STAYING)
    choice = stage.till.first_choice
    async with Browser(ada.buyer.ip_address) as browser:
        await _choose(browser, ada, choice)
        await _say_yes(stage, browser, ada)
    await asyncio.gather(
        _finish(ben, choice),
        _finish(cleo, choice),
        _finish(dan, choice, comes_back=False),
        _leave_at_the_processor(accounts[EVE]),
    )
    for account in (ben, cleo):
        tell.line(account.name, f"chose {words.method}; agreed to {money(account.shown_minor)}")
    tell.line("Dan", f"chose {words.method}; his browser never comes back to the page")
    tell.line("Eve", f"went to {words.owner} page, and closed the tab")
    await _show_where_the_token_is(stage, ada)


async def collect_first_invoices(stage: Stage, accounts: dict[Buyer, Account]) -> None:
    """(3) Charged, reported, and only then access; Eve's checkout is undone on all sides."""
    tell = stage.telling
    tell.step(
        3,
        "First invoices are charged and reported; only then access is granted",
        "Finalized at once, not after Stripe's draft hour: the customer is waiting.",
        await stage.database.now(),
    )
    await stage.advance(_FIRST_LOOK)
    dan = accounts[DAN]
    await _is_found(stage, dan)
    if stage.till.tells_later:
        await _wait_for_the_bank(stage, accounts)
    for buyer in STAYING:
        await _granted(stage, accounts[buyer])
    heard_once(stage, accounts)
    tell.good("The app heard of each exactly once, and each signature was right.")
    await _expire(stage, accounts[EVE])


def heard_once(stage: Stage, accounts: dict[Buyer, Account]) -> None:
    """At the end of it all: one event for each sign-up, and no stranger's word was believed."""
    for buyer in STAYING:
        told = stage.app.about(accounts[buyer].signup_id, _GRANTED)
        expect(len(told) == 1, f"the app was told {len(told)} times of {buyer.name}'s access")
    expect(not stage.app.about(accounts[EVE].signup_id, _GRANTED), "Eve got access")
    expect(stage.app.refused == 0, "the app refused a signature")


async def join(
    stage: Stage, price_id: str, buyer: Buyer, method: str | None = None, **more: Any
) -> Account:
    """The whole sign-up at once: the app's call, and the customer on the hosted page."""
    account = await _sign_up(stage, price_id, buyer, **more)
    async with Browser(buyer.ip_address) as browser:
        await _choose(browser, account, method or stage.till.first_choice)
    return account


async def _sign_up(stage: Stage, price_id: str, buyer: Buyer, **more: Any) -> Account:
    signup = await calls.post(
        stage.api,
        "/v1/signups",
        {
            "customer": {"email": buyer.email, "name": buyer.name},
            "items": [{"price": price_id, "quantity": buyer.seats}],
            "automatic_tax": buyer.automatic_tax,
            "description": "Pro plan, monthly",
            "success_url": f"{stage.addresses.app}/welcome",
            "cancel_url": f"{stage.addresses.app}/pricing",
            **more,
        },
    )
    expect(signup["state"] == "checkout_open", f"the sign-up is {signup['state']}")
    return Account(
        buyer=buyer,
        signup_id=signup["id"],
        customer_id=signup["customer"],
        subscription_id=signup["subscription"],
        invoice_id=signup["first_invoice"]["id"],
        checkout_url=signup["checkout"]["url"],
        shown_minor=signup["first_invoice"]["amount_due"],
    )


async def _to_the_processor(browser: Browser, account: Account) -> Page:
    page = await browser.open(account.checkout_url)
    form = page.form_with("country")
    buyer = account.buyer
    address = {"country": buyer.country, "postal_code": buyer.postal_code}
    there = await browser.submit(page, form, address)
    there.form_with("method")
    return there


async def _choose(
    browser: Browser, account: Account, method: str, *, comes_back: bool = True
) -> None:
    there = await _to_the_processor(browser, account)
    form = there.form_with("method")
    await browser.submit(there, form, {"method": method}, follows=comes_back)


async def _finish(account: Account, method: str, *, comes_back: bool = True) -> None:
    async with Browser(account.buyer.ip_address) as browser:
        await _choose(browser, account, method, comes_back=comes_back)


async def _leave_at_the_processor(account: Account) -> None:
    async with Browser(account.buyer.ip_address) as browser:
        await _to_the_processor(browser, account)


async def _say_yes(stage: Stage, browser: Browser, ada: Account) -> None:
    """German tax makes it more than she was shown: the page asks, and nothing moves before."""

    async def asks() -> Any:
        signup = await calls.get(stage.api, f"/v1/signups/{ada.signup_id}")
        return signup if signup["state"] == "action_required" else None

    signup = await stage.until("the page asks Ada about the higher amount", asks)
    final = signup["first_invoice"]["final"]
    charges = await stage.till.charges(stage.processor)
    expect(not charges, "something was charged before the customer's yes")
    customer = await calls.get(
        stage.stripe, f"/v1/customers/{ada.customer_id}", **{"expand[]": "tax"}
    )
    tell = stage.telling
    tell.line(
        "Ada",
        f"lives in {customer['address']['country']} {customer['address']['postal_code']}, asks "
        f"from {customer['tax']['ip_address']}: Stripe adds tax, {money(ada.shown_minor)} "
        f"becomes {money(final)}",
    )
    page = await browser.open(ada.checkout_url)
    form = page.form_with("amount")
    button = next(iter(form.buttons))
    tell.line("", f"the page asks; nothing has been charged; she presses “{button}”")
    await browser.submit(page, form, {}, button=button)


async def _show_where_the_token_is(stage: Stage, account: Account) -> None:
    """In Stripe's metadata, as its guide asks; in the database only sealed."""
    customer = await calls.get(stage.stripe, f"/v1/customers/{account.customer_id}")
    metadata = customer["metadata"]
    token = metadata["third_party_payment_method_id"]
    rows = await stage.database.fetch(
        "SELECT sealed_token FROM payment_methods WHERE customer_id = $1", account.customer_id
    )
    sealed: bytes = rows[0]["sealed_token"]
    expect(token.encode() not in sealed, "the token lies open in the database")
    tell = stage.telling
    tell.line(
        "metadata",
        f"third_party_customer_id {metadata['third_party_customer_id']}, "
        f"third_party_payment_method_id {token}",
    )
    tell.line("database", f"the same token, sealed: {len(sealed)} bytes, {sealed[:12].hex()}…")


async def _is_found(stage: Stage, account: Account) -> None:
    """Nobody brought the news: the set-up is asked for."""

    async def stored() -> Any:
        path = f"/v1/customers/{account.customer_id}/payment_methods"
        return (await calls.get(stage.api, path))["data"]

    title = stage.till.words.title
    await stage.until(f"{account.name}'s choice is found at {title}", stored)
    tell = stage.telling
    tell.line(account.name, f"half a minute later {title} was asked: the choice is there")


async def _wait_for_the_bank(stage: Stage, accounts: dict[Buyer, Account]) -> None:
    """A debit that is ordered is not money yet: nobody has access before it is confirmed."""
    told = []
    for buyer in STAYING:
        account = accounts[buyer]
        payment = await ordered(stage, account.invoice_id, f"{account.name}'s debit")
        amount = money(payment["attempts"][0]["amount"])
        stage.telling.line(account.name, f"{amount} ordered, {due(payment)}; no access yet")
        expect(not stage.app.about(account.signup_id, _GRANTED), f"{account.name} has access")
        told.append(expected_at(stage, payment))
    await stage.advance_to(max(told))


async def _granted(stage: Stage, account: Account) -> None:
    async def active() -> Any:
        signup = await calls.get(stage.api, f"/v1/signups/{account.signup_id}")
        heard = stage.app.about(account.signup_id, _GRANTED)
        return signup if signup["state"] == "active" and heard else None

    signup = await stage.until(f"{account.name} gets access", active)
    payment = await calls.get(stage.api, f"/v1/payments/{signup['payment']}")
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{account.invoice_id}")
    expect(invoice["status"] == "paid", f"the invoice is {invoice['status']}")
    (attempt,) = payment["attempts"]
    stage.telling.line(
        account.name,
        f"{money(payment['collected'])} {stage.till.words.charged}, "
        f"{attempt['processor_payment']}; "
        f"{invoice['number']} {invoice['status']} in Stripe; access granted",
    )


async def _expire(stage: Stage, eve: Account) -> None:
    await stage.advance(CHECKOUT_EXPIRES_AFTER + timedelta(minutes=1))

    async def expired() -> Any:
        return stage.app.about(eve.signup_id, _EXPIRED)

    await stage.until("Eve's checkout expires", expired)
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{eve.invoice_id}")
    subscription = await calls.get(stage.stripe, f"/v1/subscriptions/{eve.subscription_id}")
    left = await stage.till.what_is_left(stage.processor, eve.customer_id)
    found = (invoice["status"], subscription["status"])
    expect(found == ("void", "canceled"), f"Eve's checkout left {found} behind")
    stage.telling.line(
        "Eve",
        f"half an hour later: checkout expired; invoice void, subscription canceled, {left}",
    )
