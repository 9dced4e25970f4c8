"""Second act: a customer with two payment methods, in order, one of which expires soon."""

from datetime import timedelta
from typing import Any

from twintill.demo import calls
from twintill.demo.browser import Browser
from twintill.demo.people import Account
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect

_DUTY_RUNS = timedelta(hours=6, minutes=1)


async def put_in_order(stage: Stage, jon: Account) -> None:
    """(7) One more method; noticed ahead that it expires; the other one first again."""
    tell = stage.telling
    tell.step(
        7,
        "Jon stores a second card, which expires soon",
        "The first is charged, the next one when that cannot be; the app hears of an expiry ahead.",
        await stage.database.now(),
    )
    path = f"/v1/customers/{jon.customer_id}/payment_methods"
    new, old = await _one_more(stage, jon, path)
    tell.line("Jon", f"two cards: {_named(new)} comes first now, then {_named(old)}")
    await stage.advance(_DUTY_RUNS)
    told = await stage.until("the app is told that a card expires", lambda: _expiring(stage, jon))
    tell.line("Jon", f"the app hears that {_named(told)} is good through {told['expires']} only")
    order = {"payment_methods": [old["id"], new["id"]]}
    listed = (await calls.put(stage.api, f"{path}/order", order))["data"]
    expect([m["default"] for m in listed] == [True, False], "the order is not what was asked for")
    tell.line(
        "Jon", f"put in order: {_named(listed[0])} first, {_named(listed[1])} to fall back on"
    )


async def _one_more(stage: Stage, jon: Account, path: str) -> list[Any]:
    """On the hosted page; the former one stays."""
    body = {"return_url": f"{stage.addresses.app}/account", "keep_others": True}
    ours = await calls.post(stage.api, path, body)
    async with Browser(jon.buyer.ip_address) as browser:
        page = await browser.open(ours["url"])
        there = await browser.submit(page, page.forms[0], {})
        choice = {"method": "card_expires_soon"}
        await browser.submit(there, there.form_with("method"), choice)

    async def both() -> Any:
        listed = (await calls.get(stage.api, path))["data"]
        return listed if len(listed) == 2 else None

    return list(await stage.until("Jon has two cards", both))


async def _expiring(stage: Stage, jon: Account) -> Any:
    told = [e["data"] for e in stage.app.events if e["type"] == "method.expiring"]
    return next((one for one in told if one["customer"] == jon.customer_id), None)


def _named(method: Any) -> str:
    return f"card {method['display']['last4']}"
