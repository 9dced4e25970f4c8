"""The commands that make invoices, as a person types them, against the sandbox Stripe."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.command_line import twintill
from tests.flows.signing_up import PATIENCE_S
from tests.flows.world import World, running_world
from tests.postgres import Database
from tests.test_settings import ENOUGH
from twintill.sandbox.stripe import StripeSandboxSettings


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


class Shell:
    def __init__(self, world: World, database: Database) -> None:
        self.env = ENOUGH | {
            "TWINTILL_DATABASE_URL": database.url,
            "TWINTILL_STRIPE_API_BASE": str(world.stripe.base_url),
            "TWINTILL_STRIPE_ACCOUNT_ID": StripeSandboxSettings().account_id,
            "LOGNAME": "ada",
        }

    async def __call__(self, *words: str) -> str:
        said = await asyncio.to_thread(twintill, *words, env=self.env)
        assert said.returncode == 0, said.stderr
        return said.stdout.strip()

    async def refused(self, *words: str) -> str:
        said = await asyncio.to_thread(twintill, *words, env=self.env)
        assert said.returncode in (1, 2), said.stdout
        assert "Traceback" not in said.stderr
        return said.stderr


@pytest.fixture
def shell(world: World, database: Database) -> Shell:
    return Shell(world, database)


async def test_a_day_of_somebody_who_makes_invoices(world: World, shell: Shell) -> None:
    customer = str((await world.means.stripe.client.v1.customers.create_async({})).id)
    product = await shell("products", "create", "Lamp")
    price = await shell("prices", "create", product, "15.00EUR")
    assert await shell("prices", "list") == f"{price}\t{product}\t15.00 EUR"
    await shell("customers", "invoice-prefix", customer, "ACME")
    made = await shell(
        "invoices", "create", customer, "--item", f"{price}*3 Lamps", "--item", "-5EUR Discount",
        "--draft", "--key", "order-7",
    )  # fmt: skip
    again = await shell(
        "invoices", "create", customer, "--item", f"{price}*3 Lamps", "--item", "-5EUR Discount",
        "--draft", "--key", "order-7",
    )  # fmt: skip
    assert again == made
    invoice_id, status = made.split()[:2]
    assert (status, "40.00 EUR" in made) == ("draft", True)
    added = await shell("invoices", "add-item", "-1.50EUR Sorry", "--draft", invoice_id)
    assert f"{invoice_id} comes to 38.50 EUR now." in added
    await shell("invoices", "change-item", added.split()[0], "-2EUR")
    await shell("invoices", "update", invoice_id, "--days-until-due", "7", "--memo", "As agreed")
    final = await shell("invoices", "finalize", invoice_id, "--why", "the customer said yes")
    assert re.search(r"open  ACME-0001  38\.00 EUR  due \d{4}-", final)
    assert "void" in await shell("invoices", "void", invoice_id, "--why", "ordered by mistake")
    rows = [row.split("\t") for row in (await shell("invoices", "actions", invoice_id)).split("\n")]
    assert {by for _, _, by, *_ in rows} == {"person:ada"}
    deeds = ["created", "item_added", "item_changed", "changed", "finalized", "voided"]
    assert [did for _, did, *_ in rows] == deeds
    assert rows[-1][3] == "ordered by mistake"


async def test_items_wait_and_are_invoiced_now_or_taken_away(world: World, shell: Shell) -> None:
    customer = str((await world.means.stripe.client.v1.customers.create_async({})).id)
    one = await shell("invoices", "add-item", "10.00EUR Setup", "--customer", customer)
    other = await shell("invoices", "add-item", "-3EUR", "--customer", customer)
    await shell("invoices", "remove-item", other.split()[0])
    waiting = (await shell("invoices", "items", "--customer", customer)).split("\t")
    assert waiting[:4] == [one.split()[0], customer, "10.00 EUR", "Setup"]
    assert "10.00 EUR" in await shell("invoices", "invoice-now", customer)
    assert "needs an item" in await shell.refused("invoices", "invoice-now", customer)
    less = await shell("invoices", "create", customer, "--item", "-5EUR")
    assert "5.00 EUR on the customer's balance" in less
    draft = (await shell("invoices", "create", customer, "--draft")).split()[0]
    assert "deleted" in await shell("invoices", "delete-draft", draft)


async def test_what_is_wrong_is_said_in_a_sentence(world: World, shell: Shell) -> None:
    customer = await world.customer(None)
    for words, said in (
        (("create", customer, "--item", "1EUR", "--item", "1USD"), "one currency"),
        (("create", customer, "--item", "1.234EUR"), "minor units"),
        (("create", customer, "--item", "price_x*0"), "price_"),
        (("create", customer, "--item", "1EUR", "--currency", "euro"), "three"),
        (("create", customer, "--item", "1.50ISK"), "whole units"),
        (("create", "cus_nothing", "--item", "1EUR"), "No such customer"),
        (("void", "in_nothing"), "No such invoice"),
    ):
        assert said in await shell.refused("invoices", *words), words
