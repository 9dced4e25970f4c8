"""Step 7 where every charge is a debit: a bank takes a confirmed one back."""

from datetime import timedelta
from typing import Any

from twintill.demo.people import BEN, DAN, Cast, money
from twintill.demo.renewing import replace_method
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import (
    day,
    due,
    expected_at,
    follow_on,
    ordered,
    payment_that,
    reported,
)

_A_DAY = timedelta(days=1, minutes=1)
_DAYS_AT_MOST = 10


async def take_back(stage: Stage, cast: Cast, renewals: dict[str, Any]) -> None:
    """(7) Confirmed, reported, and gone: a credit note, a new invoice; and the end of (6)."""
    tell = stage.telling
    ben, dan = (cast.accounts[buyer] for buyer in (BEN, DAN))
    tell.step(
        7,
        stage.till.words.late,
        "Stripe cannot be told “not paid after all”: a credit note, then a new invoice.",
        await stage.database.now(),
    )
    mine, his = renewals[dan.customer_id]["id"], renewals[ben.customer_id]["id"]
    payment = await reported(stage, mine, "Dan's is confirmed")
    tell.line("Dan", f"{money(payment['reported'])} confirmed, and reported")
    await replace_method(stage, dan, stage.till.first_choice)
    tell.line("Dan", f"gives {stage.till.words.method} of another bank")
    failed = await _days_until_it_fails(stage, payment)
    (note,) = failed["credit_notes"]
    tell.line(
        "Dan",
        f"on {day(await stage.database.now())} his bank takes it back: credit note "
        f"{note['id']}, a new invoice",
    )
    second_id = str(follow_on(failed))
    await stage.advance(_A_DAY)
    payment = await ordered(stage, second_id, "the new invoice is charged")
    tell.line("Dan", f"the new invoice is ordered, {due(payment)}")
    await stage.advance_to(expected_at(stage, payment))
    payment = await reported(stage, second_id, "the new invoice is confirmed")
    tell.line("Dan", f"{money(payment['reported'])} confirmed; linked to the first payment")
    payment = await payment_that(
        stage, his, "Ben's second try is ordered", lambda p: len(p["attempts"]) > 1
    )
    await stage.advance_to(expected_at(stage, payment))
    payment = await reported(stage, his, "Ben's second try is confirmed")
    outcomes = [attempt["outcome"] for attempt in payment["attempts"]]
    expect(outcomes == ["declined", "approved"], f"Ben's attempts: {outcomes}")
    tell.line("Ben", f"his second try was confirmed, too: {money(payment['reported'])} reported")


async def _days_until_it_fails(stage: Stage, payment: Any) -> Any:
    """Day by day, as a bank takes its time; answers the payment, billed anew."""
    reference = payment["attempts"][0]["reference"]
    for _ in range(_DAYS_AT_MOST):
        await stage.advance(_A_DAY)
        (there,) = await stage.till.charges(stage.processor, reference)
        if there["status"] == "failed":
            break
    what = "Dan's bank takes it back, and it is billed anew"
    return await payment_that(stage, payment["invoice"], what, lambda p: follow_on(p) is not None)
