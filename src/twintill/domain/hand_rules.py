"""May money by hand be recorded, undone, corrected? And where one stands in its payment. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from twintill.domain.hand import TAKEN_BACK, HandKind, HandPayment, HandState
from twintill.domain.payment import Payment, Reason, Receipt, State
from twintill.domain.refund_asks import Refused
from twintill.errors import BrokenInvariant
from twintill.money import Money


def record_refusal(payment: Payment) -> Refused | None:
    """Why nothing may be recorded for its invoice now; None: it may."""
    if payment.reason is Reason.DRAFT:
        return Refused("not_finalized", "the invoice is a draft: finalize it first")
    if payment.reason in (Reason.CHECKOUT, Reason.CONSENT):
        why = "its sign-up is not complete: nobody has agreed to this invoice yet"
        return Refused("signup_unfinished", why)
    if payment.reason is Reason.HANDED_TO_STRIPE and payment.ended:
        why = "a switch handed it to Stripe's side, which collects it: mark it as paid there"
        return Refused("conflict", why)
    return None


def credit_refusal(payment: Payment) -> Refused | None:
    """Why money for its invoice is not taken as credit without a word: it may be counted there.

    Somebody marked it as paid in Stripe, perhaps for this very money; or a database that was
    restored has forgotten that it was recorded.
    """
    if payment.state is not State.CANCELED or payment.reason is not Reason.PAID_ELSEWHERE:
        return None
    why = (
        "Stripe shows the invoice as paid, and not by us, perhaps with this very money; if it came "
        "on top, say `as_credit`: it is kept for the customer"
    )
    return Refused("paid_already", why)


def undo_refusal(payment: Payment, hand: HandPayment) -> Refused | None:
    """Only while Stripe cannot have been told of it, and nothing of it was used."""
    refused = _gone(hand)
    if refused is not None or hand.paid_out_minor:
        return refused or Refused("credit_used", "some of it was paid out: correct it instead")
    receipt = receipt_of(payment, hand)
    if receipt is None or hand.state is HandState.CREDIT:
        return None
    if receipt.unapplied_minor != receipt.collected_minor:
        return Refused("reported_already", "Stripe was told of it: correct it instead")
    if payment.reports:
        why = "Stripe is being told of it at this moment: correct it when that is done"
        return Refused("not_reported_yet", why)
    return None


def correct_refusal(payment: Payment, hand: HandPayment) -> Refused | None:
    """After the report, or of what is only credit; what was paid out of it, the customer owes."""
    refused = _gone(hand)
    if refused is not None:
        return refused
    if hand.paid_out_minor and hand.kind is HandKind.CREDIT:
        return Refused("credit_used", "some of it was paid out to the customer")
    receipt = receipt_of(payment, hand)
    if hand.waits or (receipt is not None and receipt.unapplied_minor):
        return Refused("not_reported_yet", "Stripe was not told of it yet: undo it instead")
    return None


def find(payment: Payment, hand_id: str) -> HandPayment:
    """Raises BrokenInvariant when it is not this payment's."""
    hand = next((hand for hand in payment.by_hand if hand.id == hand_id), None)
    if hand is None:
        raise BrokenInvariant(f"{hand_id} is not a payment by hand of {payment.id}")
    return hand


def receipt_of(payment: Payment, hand: HandPayment) -> Receipt | None:
    """Once it was put on the invoice."""
    return next((r for r in payment.receipts if r.id == hand.receipt_id), None)


def put(payment: Payment, hand: HandPayment) -> Payment:
    """In place of its former self."""
    rows = tuple(hand if one.id == hand.id else one for one in payment.by_hand)
    return replace(payment, by_hand=rows)


def with_receipts(payment: Payment, receipts: Iterable[Receipt]) -> Payment:
    """What a receipt gives to the credit is its payment by hand's; of all of it nothing is kept."""
    receipts = tuple(receipts)
    before = {r.id: r.credit_minor for r in payment.receipts}
    for receipt in receipts:
        more_minor = receipt.credit_minor - before[receipt.id]
        hand = next((h for h in payment.by_hand if more_minor and h.receipt_id == receipt.id), None)
        if hand is not None:
            nothing = receipt.credit_minor == receipt.collected_minor
            state = HandState.CREDIT if nothing else hand.state
            credit_minor = hand.credit_minor + more_minor
            payment = put(payment, replace(hand, state=state, credit_minor=credit_minor))
    return replace(payment, receipts=receipts)


def _gone(hand: HandPayment) -> Refused | None:
    if hand.state in TAKEN_BACK:
        return Refused("taken_back", "it was taken back already")
    if hand.moved_minor:
        moved = Money(hand.moved_minor, hand.currency)
        why = f"{moved} of what it left were used for other invoices: undo those first"
        return Refused("credit_used", why)
    return None
