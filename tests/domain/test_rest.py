"""The rest of a partial payment is invoiced once, and always."""

from tests.domain.situations import (
    NOW,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.return_facts import (
    NoteMade,
    NoteStarted,
)


def test_the_rest_is_invoiced_also_where_less_than_the_part_was_confirmed() -> None:
    """Somebody credited 1000 more between our note of the rest and `pay`."""
    decision = decide(SITUATIONS["rest-made"], f.InvoiceReported(4000), POLICY, NOW)
    assert decision.follow_on is not None
    assert decision.follow_on.amount_minor == 2000


def test_the_rest_is_invoiced_also_where_the_part_failed_while_it_was_reported() -> None:
    payment = after(
        new_payment(),
        start(),
        answer(PROVISIONAL),
        NoteStarted("note_1", 1, 2000, 7000),
        NoteMade("note_1", "cn_1", 0),
        f.FailedLate("att_1", "nsf", ""),
    )
    assert decide(payment, f.InvoiceReported(5000), POLICY, NOW).follow_on is not None
