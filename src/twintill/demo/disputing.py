"""Second act: customers who dispute a charge, one who is right and one who is not."""

from typing import Any

from twintill.demo import calls
from twintill.demo.people import Account, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import payment_of, payment_that


async def dispute(stage: Stage, kim: Account, lou: Account) -> None:
    """(5) The money is taken at once; the credit note comes only when it is lost."""
    tell = stage.telling
    tell.step(
        5,
        "Kim and Lou dispute their charges",
        "A credit note after payment cannot be voided: it is made when the dispute is lost.",
        await stage.database.now(),
    )
    for account in (kim, lou):
        await _open(stage, account)
    payment = await payment_of(stage, kim.invoice_id)
    answer = await stage.api.post(
        f"/v1/payments/{payment['id']}/refunds", json={"why": "to calm her down"}
    )
    expect(answer.status_code == 409, f"a refund during a dispute answered {answer.status_code}")
    tell.line(
        "Kim",
        f"the bank takes {money(kim.shown_minor)} back until it decides; a refund beside that is "
        f"refused: “{answer.json()['code']}”",
    )
    await _end(stage, lou, "won")
    tell.line("Lou", f"the bank is with us: {money(lou.shown_minor)} stay ours; no credit note")
    lost = await _end(stage, kim, "lost")
    (note,) = lost["credit_notes"]
    credited = f"{money(note['out_of_band_amount'])} credited in Stripe, {note['id']}"
    tell.line("Kim", f"the bank is with her: {credited}")


async def _open(stage: Stage, account: Account) -> None:
    payment = await payment_of(stage, account.invoice_id)
    charge_id = payment["attempts"][0]["processor_payment"]
    await calls.post(stage.processor, f"/_sandbox/charges/{charge_id}/dispute", {})
    what = f"{account.name}'s dispute is known"
    await payment_that(stage, account.invoice_id, what, lambda p: p["disputes"])


async def _end(stage: Stage, account: Account, outcome: str) -> Any:
    payment = await payment_of(stage, account.invoice_id)
    dispute_id = payment["disputes"][0]["processor_dispute"]
    path = f"/_sandbox/disputes/{dispute_id}/resolve"
    await calls.post(stage.processor, path, {"outcome": outcome})
    what = f"{account.name}'s dispute has ended"
    return await payment_that(
        stage,
        account.invoice_id,
        what,
        lambda p: p["ended_at"] and len(p["credit_notes"]) == (outcome == "lost"),
    )
