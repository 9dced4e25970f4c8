"""Cheques and cash: put on the invoice, beside a charge, too much, too little, taken back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.flows.test_money_back import GRACE, told
from tests.flows.test_partial import follow, rest_of
from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from twintill.domain.hand import HandKind, HandState
from twintill.domain.payment import Reason, State
from twintill.domain.policy import Partial
from twintill.errors import BadRequest, ConflictError, NotFoundError
from twintill.flows import by_hand
from twintill.flows.by_hand import Word
from twintill.ids import derived_id, payment_id
from twintill.store import clock, invoice_actions, work
from twintill.store.hand_payments import Recorded
from twintill.store.work import PAYMENTS

CHARGE = "/v1/charges"


async def cheque(
    world: World,
    invoice_id: str,
    minor: int = 4900,
    reference: str = "CHQ 1",
    currency: str = "EUR",
    *,
    as_credit: bool = False,
) -> Recorded:
    async with world.db() as db:
        today = (await clock.now(db)).date()
    word = Word(HandKind.CHEQUE, minor, currency, today, reference, "person:ada", None, as_credit)
    hand_id = derived_id("hp", SCOPE, invoice_id, reference, minor)
    return await by_hand.record(world.means, SCOPE, invoice_id, hand_id, word)


async def undo(world: World, hand: Recorded) -> Recorded:
    return await by_hand.undo(world.means, SCOPE, hand.hand.id, "another invoice", "person:ada")


async def correct(world: World, hand: Recorded) -> Recorded:
    return await by_hand.correct(world.means, SCOPE, hand.hand.id, "it bounced", "person:ada")


async def now(world: World, hand: Recorded) -> tuple[HandState, int]:
    """Its state, and what of it is credit."""
    payment = await world.payment(hand.invoice_id)
    (row,) = [h for h in payment.by_hand if h.id == hand.hand.id]
    return row.state, row.credit_minor


async def open_invoice(world: World, method: str | None = None, minor: int = 4900) -> str:
    customer_id = await world.customer(method)
    invoice_id = await world.invoice(customer_id, minor)
    if method is not None:
        await world.open_payment(invoice_id, customer_id)
    return invoice_id


async def out(world: World, kind: str = "timeout_after", method: str = "card_ok") -> str:
    """A charge of the invoice is out, and nobody knows its end."""
    invoice_id = await open_invoice(world, method)
    if kind:
        await world.break_processor(CHARGE, kind)
    await world.work()
    assert (await world.payment(invoice_id)).unresolved_attempt is not None
    return invoice_id


async def later(world: World, by: timedelta = timedelta(hours=1)) -> None:
    await world.advance(by)
    await world.work()


async def test_the_invoice_of_a_customer_who_pays_by_wire_is_paid_and_never_charged(
    world: World,
) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id)
    assert hand.hand.state is HandState.APPLIED
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended, payment.reported_minor) == (State.REPORTED, True, 4900)
    assert await world.status(invoice_id) == "paid"
    assert await world.charges() == []
    balances = await world.balances()
    assert (balances["hand:undeposited"], balances["stripe:reported"]) == (4900, -4900)
    async with world.db() as db:
        (did,) = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    assert (did.action, did.actor, did.detail["amount"]) == ("paid_by_hand", "person:ada", 4900)
    assert await is_sound(world)


async def test_pressed_twice_it_is_one_cheque_and_its_reference_is_known(world: World) -> None:
    invoice_id = await open_invoice(world, "card_ok")
    first = await cheque(world, invoice_id, 900)
    assert (await cheque(world, invoice_id, 900)).hand.id == first.hand.id
    with pytest.raises(ConflictError) as why:
        await cheque(world, invoice_id, 4000)
    assert why.value.code == "reference_used"
    await undo(world, first)
    assert (await cheque(world, invoice_id, 4900)).hand.state is HandState.APPLIED


@pytest.mark.parametrize(
    ("change", "code"),
    [({"currency": "USD"}, "currency_differs"), ({"minor": 0}, "amount_invalid")],
)
async def test_what_makes_no_sense_is_refused(
    world: World, change: dict[str, object], code: str
) -> None:
    invoice_id = await open_invoice(world, "card_ok")
    with pytest.raises(BadRequest) as why:
        await cheque(world, invoice_id, **change)  # type: ignore[arg-type]
    assert why.value.code == code
    assert (await world.payment(invoice_id)).by_hand == ()


async def test_nothing_is_recorded_for_a_draft_or_an_unknown_invoice(world: World) -> None:
    customer_id = await world.customer(None)
    v1 = world.means.stripe.client.v1
    draft = await v1.invoices.create_async(
        {"customer": customer_id, "collection_method": "send_invoice", "days_until_due": 30}
    )
    with pytest.raises(ConflictError) as why:
        await cheque(world, str(draft.id))
    assert why.value.code == "not_finalized"
    with pytest.raises(NotFoundError):
        await cheque(world, "in_nobody")


async def test_it_waits_for_a_charge_that_is_out_and_is_credit_when_that_is_approved(
    world: World,
) -> None:
    invoice_id = await out(world)
    hand = await cheque(world, invoice_id)
    assert hand.hand.state is HandState.WAITING
    await later(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900)
    assert await now(world, hand) == (HandState.CREDIT, 4900)
    assert (await world.balances())["customer:credit"] == -4900
    assert len(await world.charges()) == 1
    assert await is_sound(world)


@pytest.mark.parametrize("method", ["card_declined", "card_hard_declined"])
async def test_declined_the_cheque_pays_instead_of_a_retry(world: World, method: str) -> None:
    invoice_id = await out(world, "timeout_after", method)
    hand = await cheque(world, invoice_id)
    await later(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900)
    assert await now(world, hand) == (HandState.APPLIED, 0)
    assert await world.charges() == []
    assert await is_sound(world)


async def test_a_request_that_never_arrived_is_not_sent_again_beside_a_cheque(
    world: World,
) -> None:
    invoice_id = await out(world, "reset_before")
    hand = await cheque(world, invoice_id)
    await later(world, timedelta(days=2))
    assert await world.charges() == []
    assert await now(world, hand) == (HandState.APPLIED, 0)
    assert await world.status(invoice_id) == "paid"
    assert await is_sound(world)


async def test_after_dunning_gave_up_a_cheque_still_pays(world: World) -> None:
    invoice_id = await open_invoice(world, "card_hard_declined")
    await world.work()
    assert (await world.payment(invoice_id)).state is State.EXHAUSTED
    await cheque(world, invoice_id)
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert await is_sound(world)


async def test_more_than_due_leaves_the_rest_as_credit(world: World) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id, 6000)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended, payment.reported_minor) == (State.REPORTED, True, 4900)
    assert await now(world, hand) == (HandState.APPLIED, 1100)
    assert await is_sound(world)


async def test_less_than_due_is_reported_and_the_rest_invoiced_anew(world: World) -> None:
    invoice_id = await open_invoice(world)
    await cheque(world, invoice_id, 3000)
    await world.work()
    assert await world.status(invoice_id) == "paid"
    await follow(world)
    rest = await rest_of(world, invoice_id)
    await cheque(world, rest, 1900, "CHQ 2")
    await world.work()
    assert await world.status(rest) == "paid"
    assert (await world.balances())["stripe:reported"] == -4900
    assert await is_sound(world)


async def test_where_parts_wait_for_a_person_a_second_cheque_completes_it(world: World) -> None:
    policy = replace(world.means.policy, partial=Partial.PERSON)
    world = replace(world, means=replace(world.means, policy=policy))
    invoice_id = await open_invoice(world)
    await cheque(world, invoice_id, 3000)
    await world.work()
    assert (await world.payment(invoice_id)).parked_why is not None
    await cheque(world, invoice_id, 1900, "CHQ 2")
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900)
    assert await is_sound(world)


async def test_of_a_void_invoice_all_of_it_is_credit(world: World) -> None:
    invoice_id = await open_invoice(world)
    await world.means.stripe.void(invoice_id, "void-1")
    hand = await cheque(world, invoice_id)
    assert (hand.hand.state, hand.hand.credit_minor) == (HandState.CREDIT, 4900)
    assert (await world.payment(invoice_id)).reason is Reason.INVOICE_VOID
    assert await is_sound(world)


async def test_voided_before_the_report_it_is_credit(world: World) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id)
    await world.means.stripe.void(invoice_id, "void-1")
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason, payment.ended) == (
        State.CANCELED,
        Reason.INVOICE_VOID,
        True,
    )
    assert await now(world, hand) == (HandState.CREDIT, 4900)
    assert await is_sound(world)


async def test_marked_as_paid_in_the_dashboard_meanwhile_a_person_looks_and_undoes_one(
    world: World,
) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id)
    await world.means.stripe.pay_out_of_band(invoice_id, "dashboard")
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.parked_why is not None
    assert "marked paid by somebody else" in payment.parked_why
    await undo(world, hand)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.PAID_ELSEWHERE)
    again = await cheque(world, invoice_id, reference="CHQ 2", as_credit=True)
    assert (again.hand.state, again.hand.credit_minor) == (HandState.CREDIT, 4900)
    assert await is_sound(world)


async def test_where_somebody_marked_it_as_paid_before_it_is_credit_only_on_a_word(
    world: World,
) -> None:
    """It may be the very money: credit of it would pay another invoice with nothing."""
    invoice_id = await open_invoice(world)
    await world.means.stripe.pay_out_of_band(invoice_id, "dashboard")
    with pytest.raises(ConflictError, match="as_credit") as refused:
        await cheque(world, invoice_id)
    assert refused.value.code == "paid_already"
    hand = await cheque(world, invoice_id, as_credit=True)
    assert await now(world, hand) == (HandState.CREDIT, 4900)


async def test_undone_before_the_report_the_charge_goes_its_way(world: World) -> None:
    invoice_id = await open_invoice(world, "card_ok")
    hand = await cheque(world, invoice_id)
    undone = await undo(world, hand)
    assert (undone.hand.state, undone.hand.taken_back_why) == (HandState.UNDONE, "another invoice")
    assert await undo(world, hand) == undone
    assert (await world.balances())["hand:undeposited"] == 0
    await world.work()
    assert len(await world.charges()) == 1
    assert await world.status(invoice_id) == "paid"
    assert await is_sound(world)


async def test_waiting_it_is_undone_as_well(world: World) -> None:
    invoice_id = await out(world)
    await undo(world, await cheque(world, invoice_id))
    await later(world)
    assert (await world.payment(invoice_id)).reported_minor == 4900
    assert (await world.balances())["customer:credit"] == 0
    assert await is_sound(world)


async def test_while_a_report_is_under_way_it_is_not_undone(world: World) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id)
    async with world.db() as db:
        lease = await work.claim(db, PAYMENTS, SCOPE, payment_id(SCOPE, invoice_id))
    with pytest.raises(ConflictError) as why:
        await undo(world, hand)
    assert why.value.code == "not_reported_yet"
    assert lease is not None
    async with world.db() as db:
        await work.release(db, PAYMENTS, lease)
    await world.break_stripe("/v1/invoices/in_[^/]*/pay$", "reset_after")
    await world.work()
    with pytest.raises(ConflictError):
        await undo(world, hand)
    await later(world)
    with pytest.raises(ConflictError) as why:
        await undo(world, hand)
    assert why.value.code == "reported_already"
    assert await is_sound(world)


async def test_bounced_after_the_report_a_credit_note_and_a_new_invoice(world: World) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id, 6000)
    await world.work()
    corrected = await correct(world, hand)
    assert (corrected.hand.state, corrected.hand.credit_minor) == (HandState.CORRECTED, 0)
    assert await correct(world, hand) == corrected
    await world.work()
    (note,) = await world.means.stripe.list_credit_notes(invoice_id)
    assert note.out_of_band_minor == 4900
    balances = await world.balances()
    assert {balances[a] for a in ("hand:undeposited", "customer:credit", "customer:failed")} == {0}
    await follow(world)
    rest = await rest_of(world, invoice_id)
    await cheque(world, rest, reference="CHQ 2")
    await world.work()
    assert await world.status(rest) == "paid"
    assert await is_sound(world)


async def test_what_a_credit_note_takes_off_it_is_credit(world: World) -> None:
    invoice_id = await open_invoice(world)
    hand = await cheque(world, invoice_id)
    await world.work()
    v1 = world.means.stripe.client.v1
    await v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": 1900, "out_of_band_amount": 1900, "email_type": "none"}
    )
    await told(world, invoice_id)
    await later(world, GRACE)
    assert await now(world, hand) == (HandState.APPLIED, 1900)
    payment = await world.payment(invoice_id)
    assert (payment.ended, payment.reported_minor) == (True, 3000)
    assert await is_sound(world)
