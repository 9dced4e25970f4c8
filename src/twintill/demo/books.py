"""Three books of the same money, compared to the cent. Pure; `readings` reads them.

They are joined by what both sides show to anybody: the reference in the invoice's metadata is the
one on the processor's transactions.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from twintill.money import Money

_REPORTED, _UNAPPLIED = "stripe:reported", "customer:unapplied"
_FEES, _TRANSIT, _LOSS = "fee:", "bank:transit", "loss"
IN_HAND = ("hand:undeposited", "hand:paid_out")
# Money that a person has: where it lies, what of it the customer has left, what was paid out.
_BY_HAND = ("hand:", "customer:credit", "credit:moved")
# The only accounts beside these that may not be zero, by what they are compared with.
_KINDS = {_REPORTED: "reported", _TRANSIT: "paid out", _LOSS: "loss"}


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """An invoice as Stripe's API shows it.

    `off_stripe_minor`: what others collected, less what credit notes say went back.
    """

    id: str
    number: str | None
    customer_id: str
    status: str
    currency: str
    due_minor: int
    paid_minor: int
    off_stripe_minor: int
    reference: str | None


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the processor's list of transactions."""

    reference: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg of the ledger, and the invoice that it is about: None also for fees and payouts."""

    account: str
    currency: str
    amount_minor: int
    invoice_id: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """The three readings, as they were found."""

    invoices: Sequence[StripeInvoice]
    movements: Sequence[Movement]
    processor_balance: Mapping[str, int]
    postings: Sequence[Posting]
    fees: Mapping[str, int] = field(default_factory=dict)  # that the processor kept
    paid_out: Mapping[str, int] = field(default_factory=dict)  # to our bank


@dataclass(frozen=True, slots=True)
class Row:
    """One invoice in the three books; None where a book knows nothing of it."""

    invoice: StripeInvoice
    processor_minor: int | None
    ledger_minor: int | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The table, the totals, and in words whatever does not agree."""

    books: Books
    rows: Sequence[Row]
    balances: Mapping[tuple[str, str], int]
    differences: Sequence[str] = field(default=())


def compare(books: Books) -> Comparison:
    """Each invoice, then the totals: any cent that one book has and another has not is told."""
    moved, posted = _by_reference(books.movements), _by_invoice(books.postings)
    rows, differences = [], []
    for invoice in books.invoices:
        row, wrong = _compare_one(invoice, moved, posted.get(invoice.id))
        rows.append(row)
        differences += wrong
    differences += _orphans(books, moved)
    balances = _balances(books.postings)
    differences += _compare_totals(books, balances)
    return Comparison(books, rows, balances, differences)


def _compare_one(
    invoice: StripeInvoice, moved: Mapping[str, int], accounts: Mapping[str, int] | None
) -> tuple[Row, list[str]]:
    processor = moved.get(invoice.reference) if invoice.reference else None
    collected = _clearing(accounts) + _by_hand(accounts) if accounts is not None else None
    wrong = [f"{_name(invoice)}: {w}" for w in _differences(invoice, processor, accounts)]
    verdict = "DIFFERS" if wrong else _agreement(invoice, accounts)
    return Row(invoice, processor, collected, verdict), wrong


def _differences(
    invoice: StripeInvoice, processor: int | None, accounts: Mapping[str, int] | None
) -> list[str]:
    if invoice.reference is None and accounts is None:
        return []  # not collected by us: nothing to compare; orphans are found by their totals
    collected = _clearing(accounts or {})
    reported = -(accounts or {}).get(_REPORTED, 0)
    unapplied = (accounts or {}).get(_UNAPPLIED, 0)
    stripe, currency = invoice.off_stripe_minor, invoice.currency
    found = [
        (
            "processor and people have",
            (processor or 0) + _by_hand(accounts or {}),
            "Stripe shows paid out of band",
            stripe,
        ),
        ("the ledger has collected", collected, "the processor has", processor or 0),
        ("the ledger has reported", reported, "Stripe shows paid out of band", stripe),
        ("the ledger has left over", unapplied, "expected", 0),
    ]
    return [
        f"{a} {_amount(x, currency)}, {b} {_amount(y, currency)}" for a, x, b, y in found if x != y
    ]


def _agreement(invoice: StripeInvoice, accounts: Mapping[str, int] | None) -> str:
    nothing_due = accounts is None and invoice.status in ("void", "draft")
    return "agrees" if accounts is not None or nothing_due else "not ours"


def _orphans(books: Books, moved: Mapping[str, int]) -> list[str]:
    """Money that the processor or the ledger has for nothing that Stripe shows."""
    references = {invoice.reference for invoice in books.invoices}
    known = {invoice.id for invoice in books.invoices}
    strangers = {p.invoice_id for p in books.postings} - {*known, None}
    return [
        *(
            f"the processor moved {amount} minor units under {reference}, which is on no invoice"
            for reference, amount in sorted(moved.items())
            if amount and reference not in references
        ),
        *(f"the ledger has postings for {s}, which Stripe does not show" for s in strangers),
    ]


def _compare_totals(books: Books, balances: Mapping[tuple[str, str], int]) -> list[str]:
    ours = [invoice for invoice in books.invoices if invoice.reference is not None]
    told: Counter[str] = Counter()
    for invoice in ours:
        told[invoice.currency] += invoice.off_stripe_minor
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (account, currency), amount in balances.items():
        sums[currency]["all"] += amount
        sums[currency][_kind(account)] += amount
    differences = []
    for currency in sorted({*sums, *told, *books.processor_balance, *books.paid_out}):
        of = sums[currency]
        checks = [
            ("the clearing account", of["clearing"], books.processor_balance.get(currency, 0)),
            ("what it kept as fees", of["fees"], books.fees.get(currency, 0)),
            ("what it paid out", of["paid out"], books.paid_out.get(currency, 0)),
            ("what was reported to Stripe", -of["reported"], told[currency]),
            ("all other accounts", of["other"], 0),
            ("the sum of all postings", of["all"], 0),
        ]
        differences += [
            f"{what}: the ledger has {_amount(x, currency)}, expected {_amount(y, currency)}"
            for what, x, y in checks
            if x != y
        ]
    return differences


def _kind(account: str) -> str:
    if account.startswith("processor:") and account.endswith(":clearing"):
        return "clearing"
    if account.startswith(_BY_HAND):
        return "by hand"
    if account.startswith(_FEES):
        return "fees"
    return _KINDS.get(account, "other")


def _clearing(accounts: Mapping[str, int]) -> int:
    return sum(amount for account, amount in accounts.items() if _kind(account) == "clearing")


def _by_hand(accounts: Mapping[str, int]) -> int:
    return sum(amount for account, amount in accounts.items() if _kind(account) == "by hand")


def _by_reference(movements: Iterable[Movement]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for movement in movements:
        sums[movement.reference] += movement.amount_minor
    return dict(sums)


def _by_invoice(postings: Iterable[Posting]) -> dict[str, Counter[str]]:
    accounts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for posting in postings:
        if posting.invoice_id is not None:
            accounts[posting.invoice_id][posting.account] += posting.amount_minor
    return dict(accounts)


def _balances(postings: Iterable[Posting]) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for posting in postings:
        sums[posting.account, posting.currency] += posting.amount_minor
    return dict(sorted(sums.items()))


def _name(invoice: StripeInvoice) -> str:
    return f"invoice {invoice.number or invoice.id}"


def _amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency))
