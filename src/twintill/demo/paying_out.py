"""The story's last part where a processor reports: its fees, and what reached the bank."""

from collections import Counter
from datetime import timedelta

from twintill.demo.people import CURRENCY, money
from twintill.demo.stage import Stage
from twintill.demo.tills import TillBook
from twintill.demo.trouble import expect

_THE_NEXT_READING = timedelta(days=1, minutes=2)
_ACCOUNTS = """
SELECT account, sum(amount_minor)::bigint AS minor FROM postings
WHERE currency = $1 GROUP BY account
"""


async def pay_out(stage: Stage, after: timedelta) -> None:
    """(10) Read from its own report, and booked: clearing is what it still owes."""
    tell, title = stage.telling, stage.till.words.title
    await stage.advance(after)
    await stage.advance(_THE_NEXT_READING)  # one that ran while it was being paid out, saw less
    tell.step(
        10,
        f"{title} keeps its fees, and pays out",
        "Each line of its report is matched with a charge of ours, and booked once.",
        await stage.database.now(),
    )
    there = await stage.till.read_book(stage.processor, await stage.database.now())
    fees, paid_out = there.fees.get(CURRENCY, 0), there.paid_out.get(CURRENCY, 0)
    expect(paid_out, f"{title} has paid nothing out")
    tell.line(stage.till.words.short, f"{money(paid_out)} paid out, {money(fees)} kept as fees")

    async def booked() -> Counter[str] | None:
        found = await _accounts(stage)
        return found if _agree(found, there) else None

    accounts = await stage.until("fees and payouts are in the ledger", booked) or Counter()
    for account in sorted(accounts):
        if account.startswith(("fee:", "bank:", "processor:")):
            tell.line("ledger", f"{account:<34}{money(accounts[account]):>14}")


def _agree(accounts: Counter[str], there: TillBook) -> bool:
    fees = sum(minor for name, minor in accounts.items() if name.startswith("fee:"))
    return (fees, accounts["bank:transit"]) == (
        there.fees.get(CURRENCY, 0),
        there.paid_out.get(CURRENCY, 0),
    )


async def _accounts(stage: Stage) -> Counter[str]:
    rows = await stage.database.fetch(_ACCOUNTS, CURRENCY)
    return Counter({row["account"]: row["minor"] for row in rows})
