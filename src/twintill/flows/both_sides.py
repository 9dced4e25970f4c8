"""Both sides of money that goes back: Stripe's credit notes, and the processors' refunds.

Before anything is given back or credited, both are listed; what is new is learned first, so that
nothing is done twice that somebody did by hand.
"""

from dataclasses import replace

from twintill import ids
from twintill.domain.afterwards import to_note_minor
from twintill.domain.facts import LookFailed
from twintill.domain.money_back import CreditNote, NoteState, SeenNote
from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.domain.payment import Payment
from twintill.domain.return_facts import (
    NoteFailed,
    NoteMade,
    NoteRefused,
    NoteStarted,
    SidesSeen,
)
from twintill.errors import StripeRefused, StripeUnreadable
from twintill.flows import refund_lists
from twintill.flows.learn import learn_within
from twintill.flows.looking import Looking


async def compare(looking: Looking) -> None:
    """Learn what is new on either side; nothing new is news as well."""
    seen = await see(looking)
    if seen is not None:
        await looking.learn(seen)


async def see(looking: Looking) -> SidesSeen | None:
    """What we do not know yet of both sides; None: one could not be read, and that is learned."""
    known = {n.credit_note_id for n in looking.payment.notes}
    listed = await looking.means.stripe.list_credit_notes(looking.payment.invoice_id)
    new = (n for n in listed if n.credit_note_id not in known and not n.void)
    notes = tuple(_with_number(looking, note) for note in new)
    refunds = await refund_lists.unknown(looking, looking.payment.receipts)
    if isinstance(refunds, str):
        await looking.learn(LookFailed(refunds))
        return None
    return SidesSeen(notes, refunds)


async def cannot_be_credited(looking: Looking, amount_minor: int) -> NotSent | None:
    """Why Stripe would refuse a credit note of so much; None: it would take it."""
    invoice_id = looking.payment.invoice_id
    try:
        split = await looking.means.stripe.preview_credit_note(invoice_id, amount_minor)
    except StripeRefused as refused:
        return NotSent(NotSentReason.CONFIG, f"Stripe would not credit it: {refused}")
    if split.post_payment_minor != amount_minor:
        why = f"{split.pre_payment_minor} of it would fall on what is still due in Stripe"
        return NotSent(NotSentReason.CONFIG, why)
    return None


async def credit(looking: Looking) -> None:
    """Make the credit note for what has left us: listed, begun in our books, previewed, made."""
    seen = await see(looking)
    if seen is None:
        return
    if seen.notes or seen.refunds:
        await looking.learn(seen)
        return
    async with looking.means.database.begin() as db:
        decision = await looking.learn_return_start(db, _draft(looking))
    if decision is not None and decision.make_note is not None:
        await _make(looking, decision.make_note)


async def credit_rest(looking: Looking, payment: Payment, rest_minor: int, due_minor: int) -> None:
    """Before the report of a partial payment: the credit note for what is not paid, if it is due.

    One that was begun may be there already; then nothing of the rest is due any more.
    """
    begun = payment.started_note
    void = await _voided(looking, payment)
    if void is not None:
        await looking.learn(NoteRefused(void.id, "voided in Stripe", moot=True))
        return
    async with looking.means.database.begin() as db:
        fact = _draft_of(looking, payment, rest_minor, due_minor)
        decision = await looking.learn_return_start(db, fact)
    if decision is None or decision.make_note is None:
        return
    note = decision.make_note
    if begun is not None:
        listed = await looking.means.stripe.list_credit_notes(payment.invoice_id)
        found = next((seen for seen in listed if seen.our_id == note.id and not seen.void), None)
        if found is not None:
            await looking.learn(_made(note, found))
            return
    if note.amount_minor != rest_minor:
        await looking.learn(NoteRefused(note.id, f"{rest_minor} is the rest by now", moot=True))
        return
    await _create(looking, note)


async def _voided(looking: Looking, payment: Payment) -> CreditNote | None:
    """A note of the rest that somebody took back: it must not be invoiced anew."""
    made = {n.credit_note_id: n for n in payment.notes if n.state is NoteState.MADE}
    if not made:
        return None
    listed = await looking.means.stripe.list_credit_notes(payment.invoice_id)
    gone = (seen for seen in listed if seen.void and seen.credit_note_id in made)
    return next((made[seen.credit_note_id] for seen in gone), None)


async def _make(looking: Looking, note: CreditNote) -> None:
    refused = await cannot_be_credited(looking, note.amount_minor)
    if refused is not None:
        await looking.learn(NoteRefused(note.id, refused.detail))
        return
    await _create(looking, note)


async def _create(looking: Looking, note: CreditNote) -> None:
    try:
        made = await looking.means.stripe.create_credit_note(
            looking.payment.invoice_id,
            note.amount_minor,
            out_of_band_minor=note.out_of_band_minor,
            note_id=note.id,
            key_n=note.key_n,
        )
    except StripeUnreadable as error:
        if error.request_id is not None:
            await _key_is_spent(looking, note, str(error))
        raise
    except StripeRefused as refused:
        await looking.learn(NoteRefused(note.id, str(refused)))
        return
    await looking.learn(_made(note, made))


async def _key_is_spent(looking: Looking, note: CreditNote, detail: str) -> None:
    """Stripe answered, and keeps that answer under the key."""
    scope, payment_id = looking.lease.scope, looking.payment.id
    async with looking.means.database.begin() as db:
        await learn_within(db, looking.means, scope, payment_id, NoteFailed(note.id, detail))


def _made(note: CreditNote, made: SeenNote) -> NoteMade:
    return NoteMade(note.id, made.credit_note_id, made.out_of_band_minor)


def _draft(looking: Looking) -> NoteStarted:
    return _draft_of(looking, looking.payment, to_note_minor(looking.payment), None)


def _draft_of(
    looking: Looking, payment: Payment, amount_minor: int, due_minor: int | None
) -> NoteStarted:
    """One that was begun before is made under its own name, with its own amount."""
    begun, n = payment.started_note, payment.next_note_n
    if begun is not None:
        return NoteStarted(begun.id, begun.n, begun.amount_minor, due_minor)
    note_id = ids.derived_id("note", looking.lease.scope, payment.invoice_id, n)
    return NoteStarted(note_id, n, amount_minor, due_minor)


def _with_number(looking: Looking, seen: SeenNote) -> SeenNote:
    """A note of ours, of a time that this database has lost, by its mark."""
    scope, payment = looking.lease.scope, looking.payment
    for n in range(payment.next_note_n, payment.next_note_n + refund_lists.LOST):
        if seen.our_id == ids.derived_id("note", scope, payment.invoice_id, n):
            return replace(seen, n=n)
    return seen
