"""The third act: invoices besides subscriptions that simply run, part by part."""

import asyncio

from twintill.demo import by_hand, dashboard, itemizing, reviewing, shop, signing_up
from twintill.demo.people import Account, Buyer, money
from twintill.demo.second_act import Company
from twintill.demo.stage import Stage
from twintill.demo.waiting_for import reported

_IP = "198.51.100.40"
_NAMES = ("Ivy", "Ned", "Tom")


async def tell(stage: Stage) -> Company:
    """All of it. Raises StoryBroken where the product does not keep its word."""
    price_id = await shop.create_price(stage)
    zoe = await itemizing.before_the_first_subscription(stage, price_id)
    company = Company(price_id, await _gather(stage, price_id))
    company.accounts[zoe.name] = zoe
    await itemizing.one_off(stage, company.accounts["Ivy"])
    await itemizing.invoice_now(stage, company.accounts["Ivy"])
    await itemizing.preview_and_change(stage, company.accounts["Tom"])
    tried_twice = await dashboard.try_again(stage, company.accounts["Ned"])
    gus = await shop.create_customer(stage, "Gus")
    await dashboard.follow(stage, gus)
    company.others[gus] = "Gus"
    zoe, tom, ned = (company.accounts[name] for name in ("Zoe", "Tom", "Ned"))
    await reviewing.review(stage, zoe, tom, ned)
    await dashboard.tell_its_story(stage, gus, tried_twice)
    await by_hand.pay(stage, gus, company.accounts["Ivy"])
    return company


async def _gather(stage: Stage, price_id: str) -> dict[str, Account]:
    """(2) Everybody else signs up and pays the first invoice."""
    tell = stage.telling
    tell.step(
        2,
        f"{len(_NAMES)} more customers have signed up and pay",
        "The first act shows how; what follows begins where their money is here.",
        await stage.database.now(),
    )
    buyers = [Buyer(name, 1, "FR", "75001", _IP) for name in _NAMES]
    joined = await asyncio.gather(*(signing_up.join(stage, price_id, buyer) for buyer in buyers))
    for account in joined:
        await reported(stage, account.invoice_id, f"{account.name}'s first invoice is paid")
    tell.line("", ", ".join(f"{a.name} {money(a.shown_minor)}" for a in joined))
    return {account.name: account for account in joined}
