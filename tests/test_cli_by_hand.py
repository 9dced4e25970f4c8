"""Money by hand at a terminal: recorded with its evidence, shown, undone."""

import hashlib
from pathlib import Path

from tests.flows.world import World
from tests.test_cli_invoicing import Shell, shell, world

__all__ = ["shell", "world"]
PDF = b"%PDF-1.4 a scan"


async def test_a_cheque_with_its_scan(world: World, shell: Shell, tmp_path: Path) -> None:
    customer = str((await world.means.stripe.client.v1.customers.create_async({})).id)
    invoice = await world.invoice(customer)
    scan = tmp_path / "cheque.pdf"
    scan.write_bytes(PDF)
    record = ("invoices", "record-payment", invoice, "--amount", "69.00EUR", "--reference", "no 1")
    made = await shell(*record, "--evidence", str(scan))
    assert f"69.00 EUR for {invoice} is applied" in made
    assert "no 1 is recorded for this invoice" in await shell.refused(*record)
    assert hashlib.sha256(PDF).hexdigest() in await shell("invoices", "payments-by-hand", invoice)
    assert "--amount" in await shell.refused("customers", "credit", customer, "--paid-out", "S 1")
    hand_id = made.partition(":")[0]
    assert "is undone" in await shell("invoices", "undo-payment", hand_id, "--why", "a mistake")
