"""What Stripe and a processor show against our books: which differences there are, and are not."""

from dataclasses import replace

import pytest

from tests.domain.situations import (
    ACCEPTED,
    AMOUNT,
    APPROVED,
    IN_PART,
    LOOK,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    PAID,
    SITUATIONS,
    SOFT,
    TOO_MUCH,
    VOID,
)
from twintill.domain.comparing import (
    Difference,
    Listed,
    compare_attempt,
    compare_invoice,
    compare_next,
    compare_refund,
    compare_unknown,
    compare_unknown_refund,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import Accepted, Approved, LookUp, NotFound
from twintill.domain.payment import Payment, Reason

OPEN = LOOK
DELETED = replace(VOID, status=InvoiceStatus.DELETED, currency="XXX")
OURS = replace(PAID, our_reference="tw-1")


def listed(look: InvoiceLook, paid_by_stripe_minor: int = 0) -> Listed:
    return Listed(look, "cus_1", NOW, paid_by_stripe_minor)


def kinds(told: list[Difference]) -> list[str]:
    return [difference.kind for difference in told]


INVOICES: dict[str, tuple[str, Listed, list[str]]] = {
    "reported, and paid there": ("reported", listed(OURS), []),
    "reported, and open there": ("reported", listed(OPEN), ["not_paid_there"]),
    "reported, and deleted there": ("reported", listed(DELETED), ["not_paid_there"]),
    "reported, and less paid there": (
        "reported",
        listed(replace(OURS, amount_paid_minor=4000)),
        ["amounts_differ"],
    ),
    "reported, and paid through Stripe": ("reported", listed(OURS, 5000), ["amounts_differ"]),
    "on its way to be reported": ("collected", listed(OURS), []),
    "stranded, and marked by hand": ("stranded", listed(OURS), []),
    "given up, and reported there": ("exhausted", listed(OURS), ["reported_there"]),
    "given up, and paid by somebody else": ("exhausted", listed(PAID), []),
    "given up, and still open": ("exhausted", listed(OPEN), []),
    "called off, and open there": ("canceled", listed(OPEN), ["open_there"]),
    "called off, and void there": ("canceled", listed(VOID), []),
    "the next attempt was meant": ("waiting-ready", listed(replace(OPEN, highest_n=1)), []),
    "an attempt that we do not know": (
        "waiting-ready",
        listed(replace(OPEN, highest_n=2)),
        ["unknown_attempt"],
    ),
    "another installation": (
        "waiting-ready",
        listed(replace(OPEN, foreign_installation="other")),
        ["another_installation"],
    ),
    "another currency": ("waiting-ready", listed(replace(OPEN, currency="USD")), ["currency"]),
}


@pytest.mark.parametrize("what", INVOICES)
def test_an_invoice_and_its_payment(what: str) -> None:
    situation, there, told = INVOICES[what]
    assert kinds(compare_invoice(SITUATIONS[situation], there)) == told


def test_an_expired_checkout_leaves_its_invoice_to_the_sign_up() -> None:
    expired = replace(SITUATIONS["canceled"], reason=Reason.CHECKOUT_EXPIRED)
    assert compare_invoice(expired, listed(OPEN)) == []


@pytest.mark.parametrize(
    ("look", "ours", "told"),
    [
        (OPEN, True, ["unknown_here"]),
        (OPEN, False, []),
        (replace(OPEN, collection_method="charge_automatically"), True, []),
        (replace(OPEN, amount_remaining_minor=0), True, []),
        (PAID, True, []),
        (replace(PAID, highest_n=1), False, ["unknown_here"]),
        (OURS, False, ["unknown_here"]),
    ],
)
def test_an_invoice_without_a_payment(look: InvoiceLook, ours: bool, told: list[str]) -> None:
    assert kinds(compare_unknown(listed(look), ours=ours)) == told


ATTEMPTS: dict[str, tuple[str, LookUp, list[str]]] = {
    "charged, as we say": ("reported", APPROVED, []),
    "charged as another": ("reported", Approved("ch_2", AMOUNT), ["another_charge"]),
    "another amount": ("reported", TOO_MUCH, ["amounts_differ"]),
    "not charged there": ("reported", NotFound(), ["not_charged_there"]),
    "declined there": ("reported", SOFT, ["not_charged_there"]),
    "cannot be asked": ("reported", NO_ANSWER, []),
    "declined, as we say": ("exhausted", SOFT, []),
    "declined, and forgotten there": ("exhausted", NotFound(), []),
    "charged there after all": ("exhausted", APPROVED, ["charged_there"]),
    "under way there": ("exhausted", ACCEPTED, ["charged_there"]),
    "in doubt: somebody asks already": ("charging-in-doubt", APPROVED, []),
}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_an_attempt_and_its_charge(what: str) -> None:
    situation, found, told = ATTEMPTS[what]
    payment = SITUATIONS[situation]
    assert kinds(compare_attempt(payment, payment.attempts[-1], found)) == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (NotFound(), []),
        (NO_ANSWER, []),
        (NOT_SENT, []),
        (APPROVED, ["unknown_charge"]),
        (replace(SOFT, processor_payment_id="ch_1"), ["unknown_charge"]),
    ],
)
def test_the_attempt_that_was_not_made_yet(found: LookUp, told: list[str]) -> None:
    assert kinds(compare_next(SITUATIONS["reported"], "tw-2", found)) == told


def test_what_was_approved_in_part_is_compared_with_its_part() -> None:
    asked = SITUATIONS["collected"]
    (receipt,) = asked.receipts
    in_part = replace(asked, receipts=(replace(receipt, collected_minor=3000),))
    attempt = in_part.attempts[-1]
    assert compare_attempt(in_part, attempt, IN_PART) == []
    assert kinds(compare_attempt(in_part, attempt, APPROVED)) == ["amounts_differ"]


def first_refund(payment: Payment, found: LookUp) -> list[str]:
    refund, attempt = payment.refunds[0], payment.attempts[0]
    return kinds(compare_refund(payment, attempt, refund, found))


REFUNDS: dict[str, tuple[str, LookUp, list[str]]] = {
    "given back, as we say": ("refunded", Approved("rfd_1", AMOUNT), []),
    "on its way there": ("refunded", Accepted("rfd_1"), []),
    "another amount": ("refunded", TOO_MUCH, ["amounts_differ"]),
    "not given back there": ("refunded", NotFound(), ["not_refunded_there"]),
    "come back there": ("refunded", SOFT, ["not_refunded_there"]),
    "refused, as we say": ("refund-refused", SOFT, []),
    "refused, and forgotten there": ("refund-refused", NotFound(), []),
    "given back there after all": ("refund-refused", APPROVED, ["refunded_there"]),
    "on its way after all": ("refund-not-sent", ACCEPTED, ["refunded_there"]),
    "in doubt: somebody asks already": ("refund-in-doubt", NotFound(), []),
    "under way: somebody asks already": ("refund-under-way", APPROVED, []),
}


@pytest.mark.parametrize("what", REFUNDS)
def test_a_refund_and_what_was_given_back(what: str) -> None:
    situation, found, told = REFUNDS[what]
    assert first_refund(SITUATIONS[situation], found) == told


def test_what_a_person_paid_another_way_is_not_there() -> None:
    refunded = SITUATIONS["refunded"]
    (refund,) = refunded.refunds
    by_bank = replace(refunded, refunds=(replace(refund, another_way="SEPA 42"),))
    assert first_refund(by_bank, NotFound()) == []


@pytest.mark.parametrize(
    ("situation", "told"),
    [
        ("reported", ["refunded_there"]),
        ("refunded", ["refunded_there"]),
        ("refund-refused", ["refunded_there"]),  # a person has it: nothing goes on by itself
        ("refund-in-doubt", []),
        ("stranded", []),
        ("back-given", []),  # its credit note is due: both sides are listed first
    ],
)
def test_a_refund_that_we_do_not_know_is_told_unless_it_is_listed_soon(
    situation: str, told: list[str]
) -> None:
    payment = SITUATIONS[situation]
    (receipt,), attempt = payment.receipts, payment.attempts[-1]
    assert kinds(compare_unknown_refund(payment, receipt, attempt, "rfd_9", AMOUNT)) == told
