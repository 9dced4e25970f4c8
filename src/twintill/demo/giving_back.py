"""Second act: money that goes back, money that comes in part, and money that fails late."""

from collections.abc import Mapping
from datetime import timedelta

from twintill.demo import calls
from twintill.demo.people import Account, money
from twintill.demo.renewing import replace_method
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import follow_on, payment_of, payment_that, reported

_PART = 1900
_GRACE = timedelta(minutes=11)


async def refund(stage: Stage, accounts: Mapping[str, Account]) -> None:
    """(2) From Twintill, from Stripe, from the processor, and from both by hand."""
    tell = stage.telling
    tell.step(
        2,
        "Four refunds, each begun somewhere else",
        "Two halves, a refund and a credit note, in any order: each is done exactly once.",
        await stage.database.now(),
    )
    hal, ida, jon, kit = (accounts[name] for name in ("Hal", "Ida", "Jon", "Kit"))
    await _ask(stage, hal)
    tell.line("Hal", f"asked for through Twintill: {money(_PART)} back, then credited in Stripe")
    await _credit_in_stripe(stage, ida)
    await _refund_there(stage, jon)
    await _credit_in_stripe(stage, kit)
    await _refund_there(stage, kit)
    tell.line(
        "…", "Ida is credited in Stripe, Jon refunded at the processor, Kit gets both by hand"
    )
    for account in (ida, jon, kit):
        await _heard(stage, account)
    await stage.advance(_GRACE)
    for account, did in (
        (ida, "ten minutes later refunded at the processor"),
        (jon, "ten minutes later credited in Stripe"),
        (kit, "ten minutes later compared: nothing is left to do, and nothing is done"),
    ):
        await _settled(stage, account)
        tell.line(account.name, did)


async def split(stage: Stage, max_: Account) -> None:
    """(3) The processor approves only a part."""
    tell = stage.telling
    tell.step(
        3,
        "The processor approves only part of Max's charge",
        "`pay` would forgive the rest: it is credited, the part reported, the rest billed anew.",
        await stage.database.now(),
    )
    first = await payment_that(
        stage, max_.invoice_id, "the rest is billed anew", lambda p: follow_on(p) is not None
    )
    (note,) = first["credit_notes"]
    second_id = str(follow_on(first))
    second = await reported(stage, second_id, "the rest is collected")
    invoice = await calls.get(stage.stripe, f"/v1/invoices/{second_id}")
    tell.line(
        "Max",
        f"{money(first['reported'])} approved and reported; {money(note['amount'])} credited, and "
        f"billed on {invoice['number']}: {money(second['reported'])} collected",
    )
    expect(second["continues"] == first["id"], "the two payments are not linked")


async def fail_late(stage: Stage, lea: Account) -> None:
    """(4) A debit that was confirmed and reported comes back."""
    tell = stage.telling
    tell.step(
        4,
        "Lea's bank takes a confirmed debit back",
        "Stripe cannot be told “not paid after all”: a credit note, then a new invoice.",
        await stage.database.now(),
    )
    await payment_that(stage, lea.invoice_id, "it is accepted", lambda p: p["state"] == "pending")
    await stage.advance(timedelta(days=2, minutes=1))
    first = await reported(stage, lea.invoice_id, "it is confirmed and reported")
    tell.line(
        "Lea", f"two days later: {money(first['reported'])} confirmed, reported, invoice paid"
    )
    await replace_method(stage, lea, "card_ok")
    await stage.advance(timedelta(days=3, minutes=1))
    failed = await payment_that(
        stage, lea.invoice_id, "it fails, and is billed anew", lambda p: follow_on(p) is not None
    )
    (note,) = failed["credit_notes"]
    second_id = str(follow_on(failed))
    tell.line(
        "Lea",
        f"three days later the bank takes it back: credit note {note['id']}, a new invoice; by now "
        "she has given a card",
    )
    await stage.advance(timedelta(days=2))
    second = await reported(stage, second_id, "the new invoice is collected")
    tell.line("Lea", f"{money(second['reported'])} collected by card; linked to the first payment")


async def _ask(stage: Stage, account: Account) -> None:
    payment = await payment_of(stage, account.invoice_id)
    body = {"amount": _PART, "currency": "eur", "why": "one week was not used"}
    made = await calls.post(stage.api, f"/v1/payments/{payment['id']}/refunds", body)
    await _settled(stage, account)
    done = await calls.get(stage.api, f"/v1/refunds/{made['id']}")
    expect(done["state"] == "done", f"the refund is {done['state']}")


async def _credit_in_stripe(stage: Stage, account: Account) -> None:
    """A person in Stripe's Dashboard, as the guide says."""
    body = {"invoice": account.invoice_id, "amount": _PART, "out_of_band_amount": _PART}
    await calls.post_form(stage.stripe, "/v1/credit_notes", body)


async def _refund_there(stage: Stage, account: Account) -> None:
    """A person at the processor."""
    payment = await payment_of(stage, account.invoice_id)
    charge_id = payment["attempts"][0]["processor_payment"]
    await calls.post(stage.processor, f"/v1/charges/{charge_id}/refunds", {"amount": _PART})


async def _heard(stage: Stage, account: Account) -> None:
    what = f"Twintill hears of {account.name}"
    await payment_that(stage, account.invoice_id, what, lambda p: p["reason"] == "comparing")


async def _settled(stage: Stage, account: Account) -> None:
    """One refund there, one credit note here, and the books say so."""
    what = f"{account.name}'s refund is done on both sides"
    payment = await payment_that(
        stage,
        account.invoice_id,
        what,
        lambda p: p["ended_at"] and p["refunded"] == _PART and len(p["credit_notes"]) == 1,
    )
    kept = payment["collected"] - _PART
    expect(payment["reported"] == kept, f"reported is {payment['reported']}, not {kept}")
    charge_id = payment["attempts"][0]["processor_payment"]
    there = await calls.get(stage.processor, "/v1/refunds", charge=charge_id)
    notes = await calls.get(stage.stripe, "/v1/credit_notes", invoice=account.invoice_id)
    found = ([r["amount"] for r in there["data"]], [n["amount"] for n in notes["data"]])
    expect(found == ([_PART], [_PART]), f"refunds and credit notes are {found}")
