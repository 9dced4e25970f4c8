"""The story's third part: an answer is lost, a charge is declined, a debit takes its days."""

from datetime import UTC, datetime, timedelta
from typing import Any

from twintill.demo.people import ADA, BEN, CLEO, DAN, Account, Cast, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import (
    day,
    due,
    expected_at,
    ordered,
    payment_of,
    payment_that,
    reported,
)

_A_DAY = timedelta(days=1, minutes=1)
_LATE_FAILURE = timedelta(days=5)
Json = Any


async def lose_an_answer(stage: Stage, account: Account, invoice: Json) -> None:
    """(5) The money is taken, the answer never comes: it is looked up, never charged again."""
    tell, till = stage.telling, stage.till
    tell.step(
        5,
        "Cleo's charge is made, but the answer is lost",
        "The bug that every such system has shipped: charging again. A missing answer is no no.",
        await stage.database.now(),
    )

    async def in_doubt() -> Any:
        payment = await payment_of(stage, invoice["id"])
        return payment and "NoAnswer" in _answers(payment)

    await stage.until("the wait for the answer to Cleo's charge is given up", in_doubt)
    tell.line(account.name, f"charge sent; no answer came, and {till.words.silence}")
    await stage.advance(till.asks_again)
    payment = await payment_that(
        stage, invoice["id"], "Cleo's charge is found", lambda p: p["state"] in till.found_as
    )
    (attempt,) = payment["attempts"]
    answers = _answers(payment)
    found = answers[0] == "NoAnswer" and answers[-1] in ("Approved", "Accepted")
    expect(found, f"Cleo's answers: {answers}")
    reference = attempt["reference"]
    there = await till.charges(stage.processor, reference)
    expect(len(there) == 1, f"{till.words.title} has {len(there)} charges for Cleo")
    for words in await till.how_it_was_found(stage.processor, invoice["id"], attempt):
        tell.line(account.name, words)
    tell.line(
        account.name,
        f"{len(there)} charge in its book, {money(attempt['amount'])} "
        + ("reported" if payment["state"] == "reported" else due(payment)),
    )


async def decline(stage: Stage, cast: Cast, renewals: dict[str, Json]) -> None:
    """(6) A declined charge is an answer: the next try has a date."""
    tell, till = stage.telling, stage.till
    ben = cast.accounts[BEN]
    if till.tells_later:
        payment = await ordered(stage, renewals[ben.customer_id]["id"], "Ben's renewal")
        await stage.advance_to(expected_at(stage, payment))
    tell.step(
        6,
        till.words.decline,
        "A decline is an answer, not an error: Stripe hears nothing, the next try has its date.",
        await stage.database.now(),
    )
    payment = await payment_that(
        stage,
        renewals[ben.customer_id]["id"],
        "Ben's renewal is declined",
        lambda p: p["reason"] == "retry",
    )
    (attempt,) = payment["attempts"]
    again = datetime.fromtimestamp(payment["next_look_at"], UTC)
    tell.line(
        "Ben",
        f"{money(attempt['amount'])} {attempt['outcome']} ({attempt['code']}); next try "
        f"{again:%a %d %b %H:%M}",
    )
    if till.tells_later:
        for buyer in (ADA, CLEO):
            account = cast.accounts[buyer]
            payment = await reported(
                stage, renewals[account.customer_id]["id"], f"{account.name}'s is confirmed"
            )
            tell.line(account.name, f"{money(payment['reported'])} confirmed, and reported")


async def settle_late(stage: Stage, cast: Cast, renewals: dict[str, Json]) -> None:
    """(7), and the end of (6): after a day the second try, after two the debit's webhook."""
    tell = stage.telling
    ben, dan = cast.accounts[BEN], cast.accounts[DAN]
    tell.step(
        7,
        stage.till.words.late,
        f"Accepted is not collected: Stripe is told when {stage.till.words.owner} webhook says so.",
        await stage.database.now(),
    )
    debit = renewals[dan.customer_id]
    payment = await ordered(stage, debit["id"], "Dan's debit")
    expected = expected_at(stage, payment)
    tell.line("Dan", f"{money(payment['attempts'][0]['amount'])} accepted, {due(payment)}")
    await stage.advance(_A_DAY)
    payment = await reported(stage, renewals[ben.customer_id]["id"], "Ben's second try")
    outcomes = [attempt["outcome"] for attempt in payment["attempts"]]
    expect(outcomes == ["declined", "approved"], f"Ben's attempts: {outcomes}")
    tell.line("Ben", f"a day later: second try approved, {money(payment['reported'])} reported")
    # Not a minute more: else the worker might ask before the webhook has come in.
    await stage.advance_to(expected)
    payment = await reported(stage, debit["id"], "Dan's debit is confirmed")
    told_by = _approval(payment)["actor"]
    expect(told_by != "twintill", "Dan's debit was asked for, not told by the webhook")
    tell.line(
        "Dan", f"on {day(expected)}: webhook {told_by}; {money(payment['reported'])} reported"
    )


def _answers(payment: Any) -> list[str]:
    """What the processor answered to this payment's charges, in order."""
    facts = [fact for fact in payment["history"] if fact["fact"] == "Answered"]
    return [fact["detail"]["outcome"]["is"] for fact in facts]


def _approval(payment: Any) -> Any:
    """The fact by which the money was collected."""
    return next(fact for fact in payment["history"] if fact["state_after"] == "collected")
