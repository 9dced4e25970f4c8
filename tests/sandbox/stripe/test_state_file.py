"""With a state file the sandbox Stripe goes on after a restart where it stopped."""

from pathlib import Path

import pytest

from tests.sandbox.stripe_world import DAY_S, HOUR_S, START, stripe_world
from twintill.sandbox.stripe import StripeSandboxSettings
from twintill.sandbox.stripe.ids import Ids
from twintill.sandbox.stripe.state_file import load
from twintill.sandbox.stripe.world import World


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    settings = StripeSandboxSettings(seed=1, state_file=tmp_path / "stripe.json")
    async with stripe_world(settings) as world:
        subscription = await world.subscribe()
        await world.listen("invoice.created")
        paid = await world.open_invoice()
        await world.v1.invoices.pay_async(paid.id, {"paid_out_of_band": True})
        await world.advance(HOUR_S)
    later = StripeSandboxSettings(seed=2, state_file=tmp_path / "stripe.json")
    async with stripe_world(later, START) as world:
        await world.v1.webhook_endpoints.delete_async(
            (await world.v1.webhook_endpoints.list_async()).data[0].id
        )
        assert (await world.v1.invoices.retrieve_async(paid.id)).status == "paid"
        await world.advance(28 * DAY_S + HOUR_S)
        invoices = await world.v1.invoices.list_async({"subscription": subscription.id})
        assert [invoice.status for invoice in invoices.data] == ["open", "open"]
        item = subscription["items"].data[0].id
        changed = await world.v1.subscriptions.update_async(
            subscription.id, {"items": [{"id": item, "quantity": 2}]}
        )
        assert changed["items"].data[0].quantity == 2


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "stripe.json"
    file.write_text('{"format": 99}')
    settings = StripeSandboxSettings()
    with pytest.raises(ValueError, match="not written by this version"):
        load(World(settings, Ids(1)), file)
