"""The ledger's vocabulary: balanced transactions of signed postings, and when each one is made.

Debit is positive, credit negative. Accounts are per Stripe account, mode and currency. The table
of postings is the "Ledger accounts" section of docs/money.md; billing itself is not booked.
"""

from dataclasses import dataclass

from twintill.domain.money_back import Dispute
from twintill.domain.payment import Outcome, Payment, Receipt, Refund, RefundOf

UNAPPLIED = "customer:unapplied"
STRANDED = "customer:stranded"
FAILED = "customer:failed"
IN_FLIGHT = "refund:in_flight"
REFUND_DUE = "refund:due"
NOTE_DUE = "credit_note:due"
WITHHELD = "dispute:withheld"
LOSS = "loss"
REPORTED = "stripe:reported"
UNDEPOSITED = "hand:undeposited"
CREDIT = "customer:credit"
CREDIT_MOVED = "credit:moved"  # from one payment to another, in one commit
PAID_OUT = "hand:paid_out"
TRANSIT = "bank:transit"  # paid out, and not on the bank's statement yet
SUSPENSE = "suspense"  # moved a balance of ours, and is not of Twintill's charges


def reserve(processor_account_id: str) -> str:
    """What a processor owes us and holds back."""
    return f"processor:{processor_account_id}:reserve"


def clearing(processor_account_id: str) -> str:
    """What a processor owes us."""
    return f"processor:{processor_account_id}:clearing"


def fee(processor: str) -> str:
    """What a processor keeps for its work."""
    return f"fee:{processor}"


@dataclass(frozen=True, slots=True)
class Posting:
    """One signed leg in minor units."""

    account: str
    currency: str
    amount_minor: int
    receipt_id: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """A balanced set of postings; `cause` is unique for ever, so that a fact posts once."""

    cause: str
    kind: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        totals: dict[str, int] = {}
        for posting in self.postings:
            totals[posting.currency] = totals.get(posting.currency, 0) + posting.amount_minor
        if len(self.postings) < 2 or any(totals.values()):
            raise ValueError(f"ledger transaction {self.cause} does not balance: {totals}")


def collected(receipt: Receipt) -> LedgerTransaction:
    """The processor has the money: it owes us, we owe it to an invoice."""
    return _move("collected", receipt, where_from(receipt), UNAPPLIED, receipt.collected_minor)


def reported(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """Stripe confirmed this much of it."""
    return _move("reported", receipt, UNAPPLIED, REPORTED, amount_minor)


def stranded(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """Stripe will not take this much of it: it is the customer's."""
    return _move("stranded", receipt, UNAPPLIED, STRANDED, amount_minor)


def failed_before_report(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed after it was collected, before the report: as if it had not come."""
    return _move("failed", receipt, UNAPPLIED, where_from(receipt), amount_minor)


def failed_after_report(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed after the report: the customer owes it until a credit note says so."""
    return _move("failed_reported", receipt, FAILED, where_from(receipt), amount_minor)


def failed_after_stranding(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed after it was stranded: there is nothing left to give back."""
    return _move("failed_stranded", receipt, STRANDED, where_from(receipt), amount_minor)


def failed_bridge(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed of which one half was booked: credited, and nothing is left to be given back.

    Below zero: given back, and not credited yet.
    """
    return _move("failed_bridge", receipt, REFUND_DUE, where_from(receipt), amount_minor)


def reported_though_failed(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed while its report was on the way: Stripe counts it, and the customer owes it.

    The credit note takes both away again.
    """
    return _move("reported_failed", receipt, FAILED, REPORTED, amount_minor)


def failed_under_way(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed while a refund of it, reported, is under way: the customer will owe that."""
    return _move("failed_under_way", receipt, FAILED, REFUND_DUE, amount_minor)


def failed_after_refund(receipt: Receipt, amount_minor: int) -> LedgerTransaction:
    """A debit failed after it was given back: paid out twice, and the customer owes it."""
    return _move("failed_refunded", receipt, FAILED, where_from(receipt), amount_minor)


def refund_under_way(refund: Refund, receipt: Receipt) -> LedgerTransaction:
    """The processor took the refund and will tell its end."""
    return _give("refund_under_way", refund, receipt, _owed(refund, receipt), IN_FLIGHT)


def refunded(refund: Refund, receipt: Receipt) -> LedgerTransaction:
    """The customer has it back; `refund` as it was before the answer."""
    held = IN_FLIGHT if refund.outcome is Outcome.ACCEPTED else _owed(refund, receipt)
    paid_from = where_from(receipt) if refund.another_way is None else PAID_OUT
    return _give("refunded", refund, receipt, held, paid_from)


def refund_failed(refund: Refund, receipt: Receipt) -> LedgerTransaction:
    """What was under way, or was already called done, came back; `refund` as it was before."""
    held = IN_FLIGHT if refund.outcome is Outcome.ACCEPTED else where_from(receipt)
    return _give("refund_failed", refund, receipt, held, _owed(refund, receipt))


def credited(note_id: str, receipt: Receipt, amount_minor: int, against: str) -> LedgerTransaction:
    """A credit note took so much off what Stripe was told of this receipt.

    `against`: what it stands for: a refund (REFUND_DUE), a lost dispute (NOTE_DUE), a debit that
    failed (FAILED).
    """
    cause = f"{note_id}:{receipt.id}:{against}"
    return _post("credited", cause, receipt, REPORTED, against, amount_minor)


def dispute_withheld(dispute: Dispute, receipt: Receipt) -> LedgerTransaction:
    """The processor has taken the amount; whose it is, is not decided."""
    amount_minor, clearing_there = dispute.amount_minor, where_from(receipt)
    return _post("withheld", dispute.id, receipt, WITHHELD, clearing_there, amount_minor)


def dispute_fee(
    dispute: Dispute, receipt: Receipt, processor: str, minor: int
) -> LedgerTransaction:
    """What it costs, won or lost; `minor`: more than was booked before."""
    cause = f"{dispute.id}:{dispute.fee_minor + minor}"
    return _post("dispute_fee", cause, receipt, fee(processor), where_from(receipt), minor)


def dispute_won(dispute: Dispute, receipt: Receipt) -> LedgerTransaction:
    """The processor has given it back to us."""
    amount_minor, clearing_there = dispute.amount_minor, where_from(receipt)
    return _post("dispute_won", dispute.id, receipt, clearing_there, WITHHELD, amount_minor)


def dispute_lost(
    dispute: Dispute, receipt: Receipt, against: str, amount_minor: int
) -> LedgerTransaction:
    """The customer has it: against a credit note that is due, what was owed to him, or our loss."""
    cause = f"{dispute.id}:{against}"
    return _post("dispute_lost", cause, receipt, against, WITHHELD, amount_minor)


def _owed(refund: Refund, receipt: Receipt) -> str:
    """What a refund pays: our debt to the customer, or, of a debit that failed, a new claim."""
    if receipt.failed:
        return FAILED
    return STRANDED if refund.of is RefundOf.STRANDED else REFUND_DUE


def where_from(receipt: Receipt) -> str:
    if receipt.processor_account_id is None:
        return CREDIT_MOVED if receipt.source == "credit" else UNDEPOSITED
    return clearing(receipt.processor_account_id)


def balance_per_payment(payment: Payment) -> int:
    """Collected - refunded - reported - stranded - not yet reported; always 0 (`verify`).

    Lost disputes count as refunded; what stands between the two sides' books, and what went to the
    customer's credit, as reported.
    """
    live = [r for r in payment.receipts if not r.failed]
    kept_minor = sum(r.collected_minor - r.refunded_minor - r.disputed_minor for r in live)
    return kept_minor - sum(
        r.reported_minor
        + r.refund_due_minor
        + r.note_due_minor
        + r.stranded_minor
        + r.credit_minor
        + r.unapplied_minor
        for r in live
    )


def _move(
    kind: str, receipt: Receipt, debit: str, credit: str, amount_minor: int
) -> LedgerTransaction:
    return _post(kind, receipt.id, receipt, debit, credit, amount_minor)


def _give(
    kind: str, refund: Refund, receipt: Receipt, debit: str, credit: str
) -> LedgerTransaction:
    return _post(kind, refund.id, receipt, debit, credit, refund.amount.minor)


def _post(
    kind: str, cause_id: str, receipt: Receipt, debit: str, credit: str, amount_minor: int
) -> LedgerTransaction:
    legs = (
        Posting(debit, receipt.currency, amount_minor, receipt.id),
        Posting(credit, receipt.currency, -amount_minor, receipt.id),
    )
    return LedgerTransaction(f"{kind}:{cause_id}", kind, legs)
