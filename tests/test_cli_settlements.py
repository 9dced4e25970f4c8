"""Settlement at a terminal: a payout and its lines, what a processor owes, a line that changed."""

from tests.flows.settling import charge_of, line, read, report_of, rows, settling
from tests.flows.test_money_back import reported
from tests.flows.world import World
from tests.test_cli_invoicing import Shell, shell, world
from twintill.flows import duties

__all__ = ["shell", "world"]


async def test_a_payout_its_lines_and_what_is_owed(world: World, shell: Shell) -> None:
    charge = await charge_of(world, await reported(world))
    world = settling(
        world,
        line("1", "charge", 4900, 120, of=charge, payout_id="po_1"),
        line("2", "payout", -4780, payout_id="po_1"),
    )
    await read(world)
    shell.env |= {
        "TWINTILL_STRIPE_ACCOUNT_ID": world.means.scope.stripe_account_id,
        "TWINTILL_STRIPE_API_BASE": "http://127.0.0.1:9",  # nobody says whose key it is
    }
    told = await shell("settlements", "payout", "po_1")
    assert "adds up" in told
    assert "fee: -1.20 EUR" in told
    assert charge_line(told) == ["charge", "49.00 EUR", "1.20 EUR", "ours"]
    owed = (await shell("settlements", "clearing")).split("\t")
    assert owed[:5] == ["acct_sandbox", "0.00 EUR", "49.00 EUR", "-1.20 EUR", "-47.80 EUR"]
    report_of(world)[1] = line("2", "payout", -4000, payout_id="po_1")
    await read(world)
    changed = (await rows(world))["2"].settlement_line_id
    assert changed in await shell("settlements", "list", "--state", "changed")
    said = await shell("settlements", "accept", changed, "--why", "their bank took the rest")
    assert "as the report shows it" in said
    assert "lines say 47.80 EUR" in await shell("settlements", "payouts")
    await duties.begin(world.means)
    assert "read as soon as" in await shell("settlements", "read")


def charge_line(told: str) -> list[str]:
    its = next(row.split("\t") for row in told.splitlines() if "\tcharge\t" in row)
    return its[2:6]
