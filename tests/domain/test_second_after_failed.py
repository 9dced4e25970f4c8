"""A second charge approved after the first one failed late and was credited."""

from datetime import timedelta

from tests.domain.situations import (
    NOW,
    POLICY,
    PROVISIONAL,
    SOFT,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.facts import Via
from twintill.domain.outcomes import Approved
from twintill.domain.return_facts import (
    NoteMade,
    NoteStarted,
)
from twintill.money import Money


def test_money_that_comes_after_a_failed_and_credited_debit_is_stranded() -> None:
    """Stripe counts nothing for this invoice any more, and a new invoice is collected for it."""
    payment = after(new_payment(), start(), answer(SOFT))
    again = NOW + timedelta(days=1)
    payment = after(payment, start(2), answer(PROVISIONAL, n=2), f.InvoiceReported(5000), at=again)
    late = NOW + timedelta(days=5)
    payment = decide(payment, f.FailedLate("att_2", "nsf", ""), POLICY, late).payment
    payment = decide(payment, NoteStarted("note_1", 1, 5000), POLICY, late).payment
    credited = decide(payment, NoteMade("note_1", "cn_1", 5000), POLICY, late)
    assert credited.follow_on is not None
    turned = answer(Approved("ch_1", Money(5000, "EUR")), Via.RECORD, 1)
    payment = decide(credited.payment, turned, POLICY, late).payment
    assert payment.stranded_minor == 5000
