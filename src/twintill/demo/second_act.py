"""The second act: what happens after the first payment, part by part."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from twintill.demo import beginnings, choosing, disputing, giving_back, moving_on, shop, signing_up
from twintill.demo.people import Account, Buyer, money
from twintill.demo.stage import Stage
from twintill.demo.waiting_for import reported

_IP = "198.51.100.30"


@dataclass(frozen=True, slots=True)
class Company:
    """Everybody of this act, by name."""

    price_id: str
    accounts: dict[str, Account]
    others: dict[str, str] = field(default_factory=dict)  # who has no method of ours: id, name

    @property
    def names(self) -> dict[str, str]:
        ours = {account.customer_id: name for name, account in self.accounts.items()}
        return ours | self.others


# Who pays with what, on the hosted page; all others with a card that is approved.
_METHODS = {"Max": "card_partial", "Lea": "debit_fails_late"}
_NAMES = ("Hal", "Ida", "Jon", "Kit", "Max", "Lea", "Kim", "Lou", "Nia", "Oli", "Pam")


async def tell(stage: Stage) -> Company:
    """All of it. Raises StoryBroken where the product does not keep its word."""
    company = await _gather(stage)
    await giving_back.refund(stage, company.accounts)
    await giving_back.split(stage, company.accounts["Max"])
    await giving_back.fail_late(stage, company.accounts["Lea"])
    await disputing.dispute(stage, company.accounts["Kim"], company.accounts["Lou"])
    await moving_on.cancel(stage, company.accounts["Nia"], company.accounts["Oli"])
    await choosing.put_in_order(stage, company.accounts["Jon"])
    await moving_on.switch(stage, company.accounts["Pam"])
    for account in await beginnings.begin(stage, company.price_id):
        company.accounts[account.name] = account
    return company


async def _gather(stage: Stage) -> Company:
    """(1) Everybody signs up and pays the first invoice."""
    tell = stage.telling
    tell.step(
        1,
        f"{len(_NAMES)} customers have signed up and pay",
        "The first act shows how; this one begins where the money is here.",
        await stage.database.now(),
    )
    price_id = await shop.create_price(stage)
    joined = await asyncio.gather(*(_join(stage, price_id, name) for name in _NAMES))
    accounts = {account.name: account for account in joined}
    for account in joined:
        if account.name != "Lea":
            await reported(stage, account.invoice_id, f"{account.name}'s first invoice is paid")
    paid = ", ".join(f"{a.name} {money(a.shown_minor)}" for a in joined)
    tell.line("", paid)
    return Company(price_id, accounts)


async def _join(stage: Stage, price_id: str, name: str, **more: Any) -> Account:
    buyer = Buyer(name, 1, "FR", "75001", _IP)
    method = _METHODS.get(name, "card_ok")
    return await signing_up.join(stage, price_id, buyer, method, **more)
