"""How an invoice stands, in plain words for people; nothing is decided by them.

Declined twice (insufficient_funds). Tried again on 3 Dec 2026, 12:00 UTC: the schedule waits
3 days after decline 2. Due on 20 Dec 2026, 12:00 UTC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.domain.dunning import TryAt, plans
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.payment import Outcome, Payment, Reason, Receipt, State
from twintill.domain.policy import Policy
from twintill.money import Money

_BY_HAND = ("hand", "credit")
_STILL_OWED = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)
_SOUND = (None, "active", "trialing")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the mirror shows of an invoice, and of its subscription (None: it has none)."""

    status: InvoiceStatus
    collection_method: str
    remaining: Money
    due_at: datetime | None
    subscription_status: str | None = None
    subscription_since: datetime | None = None  # when that status was first seen

    def is_overdue(self, now: datetime) -> bool:
        is_open = self.status is InvoiceStatus.OPEN
        return is_open and self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """When it is tried next, with which method, and why then."""

    at: datetime
    method_id: str
    why: str


def in_words(invoice: Standing, payment: Payment | None, policy: Policy, now: datetime) -> str:
    """A few sentences: where it is, what was tried, what comes next, when it is due.

    `policy`: the one that holds for this customer.
    """
    said = [_status(invoice, payment)]
    if payment is not None:
        said += [
            _tried(payment),
            _by_hand(payment),
            _next(invoice, payment, policy, now),
            _person(payment),
        ]
    said += [_due(invoice, now), _subscription(invoice)]
    return " ".join(f"{sentence}." for sentence in said if sentence)


def next_attempt(payment: Payment, policy: Policy, now: datetime) -> NextAttempt | None:
    """None: nothing is tried by itself. `policy`: the one that holds for this customer."""
    at, reason = payment.next_look_at, payment.reason
    waits = payment.state is State.WAITING and payment.parked_why is None
    if not waits or at is None or reason not in _WHY_THEN:
        return None
    living = (p.method_id for p in plans(payment, policy, now) if isinstance(p.follows, TryAt))
    method_id = payment.method_asked_for or next(living, None)
    if method_id is None:
        return None
    return NextAttempt(at, method_id, _by_schedule(payment, policy) or _WHY_THEN[reason])


def _status(invoice: Standing, payment: Payment | None) -> str:
    if invoice.status is InvoiceStatus.DRAFT:
        return "A draft: Stripe has not finalized it, so nothing is collected yet"
    if payment is not None:
        return _collecting(invoice, payment)
    if invoice.status not in _STILL_OWED:
        return _NOT_OWED[invoice.status]
    if invoice.collection_method != "send_invoice":
        return f"{_owed(invoice)}: Stripe collects it itself"
    return f"{_owed(invoice)}: nobody charges it, the customer pays by transfer or by hand"


def _collecting(invoice: Standing, payment: Payment) -> str:
    living = [r for r in payment.receipts if not r.failed]
    # What the customer has as credit is not this invoice's any more.
    money = Money(sum(r.collected_minor - r.credit_minor for r in living), payment.currency)
    gone = Money(payment.refunded_minor, payment.currency)
    match payment.state:
        case State.COLLECTED:
            return f"{money} collected; Stripe is about to be told{_because(payment)}"
        case State.REPORTED:
            return _reported(payment, living, money, gone)
        case State.STRANDED:
            return f"{money} collected that the invoice does not take{_because(payment)}"
        case State.REFUNDED:
            return f"Nothing was kept: {gone} went back{_because(payment)}"
    if invoice.status not in _STILL_OWED:
        return _NOT_OWED[invoice.status]
    return f"{_owed(invoice)}: {_UNDER_WAY[payment.state]}{_because(payment)}"


def _reported(payment: Payment, living: list[Receipt], money: Money, gone: Money) -> str:
    lost_minor = sum(r.collected_minor - r.credit_minor for r in payment.receipts if r.failed)
    if lost_minor and not living:
        lost = Money(lost_minor, payment.currency)
        return f"Stripe was told of {lost}, which did not hold afterwards{_because(payment)}"
    how = "received by hand" if all(r.source in _BY_HAND for r in living) else "collected"
    back = f"; {gone} of it went back" if gone.minor else ""
    return f"Paid: {money} {how}, and Stripe was told{back}"


def _owed(invoice: Standing) -> str:
    word = "Open" if invoice.status is InvoiceStatus.OPEN else "Given up as uncollectible"
    return f"{word}, {invoice.remaining} to pay"


def _because(payment: Payment) -> str:
    """Also for a reason that has no words of its own here."""
    reason = payment.reason
    if reason is None or reason in _SAYS_NOTHING:
        return ""
    return f" ({_BECAUSE.get(reason, reason.value.replace('_', ' '))})"


def _tried(payment: Payment) -> str:
    declined = [a for a in payment.attempts if a.outcome is Outcome.DECLINED]
    if not declined:
        return ""
    codes = ", ".join(dict.fromkeys(a.code or "no code" for a in declined))
    return f"Declined {_times(len(declined))} ({codes})"


def _by_hand(payment: Payment) -> str:
    hand = payment.waiting_by_hand
    if hand is None:
        return ""
    money = Money(hand.amount_minor, hand.currency)
    return f"{money} received by hand ({hand.reference}) waits to be put on it"


def _next(invoice: Standing, payment: Payment, policy: Policy, now: datetime) -> str:
    follows = next_attempt(payment, policy, now)
    if follows is None or invoice.status not in _STILL_OWED:
        return ""
    verb = "Tried again" if payment.attempts else "Charged"
    when = "now" if follows.at <= now else f"on {_moment(follows.at)}"
    return f"{verb} {when}: {follows.why}"


def _by_schedule(payment: Payment, policy: Policy) -> str:
    """The pause that the setting has after so many declines of one method."""
    declined = [a for a in payment.attempts if a.outcome is Outcome.DECLINED]
    if payment.reason is not Reason.RETRY or not declined:
        return ""
    last = declined[-1]
    count = sum(a.method_id == last.method_id for a in declined)
    if last.retry_after_s is not None and count <= len(policy.retry_pauses):
        asked = timedelta(seconds=last.retry_after_s)
        if asked > max(policy.retry_pauses[count - 1], policy.retry_gap_min):
            return "the processor asked to wait so long"
    if count > len(policy.retry_pauses):
        return ""
    pause = max(policy.retry_pauses[count - 1], policy.retry_gap_min)
    return f"the schedule waits {_span(pause)} after decline {count}"


def _person(payment: Payment) -> str:
    why = payment.parked_why
    return "" if why is None else f"It waits for a person: {why.rstrip('.')}"


def _due(invoice: Standing, now: datetime) -> str:
    if invoice.status not in _STILL_OWED or invoice.due_at is None:
        return ""
    word = "Overdue since" if invoice.is_overdue(now) else "Due on"
    return f"{word} {_moment(invoice.due_at)}"


def _subscription(invoice: Standing) -> str:
    status, since = invoice.subscription_status, invoice.subscription_since
    if status in _SOUND:
        return ""
    return f"Its subscription is {status}" + (f" since {_moment(since)}" if since else "")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _span(pause: timedelta) -> str:
    days, rest = divmod(pause, timedelta(days=1))
    if rest:
        return f"{pause // timedelta(hours=1)} hours"
    return "a day" if days == 1 else f"{days} days"


def _moment(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOT_OWED = {
    InvoiceStatus.PAID: "Paid, and not by a charge of Twintill's",
    InvoiceStatus.VOID: "Void: nothing is owed",
    InvoiceStatus.DELETED: "Deleted as a draft: nothing is owed",
}
_UNDER_WAY = {
    State.WAITING: "it waits",
    State.CHARGING: "a charge is out",
    State.PENDING: "a charge is under way",
    State.EXHAUSTED: "nothing is tried any more by itself",
    State.CANCELED: "it is not collected",
}
# What the next attempt says, or the sentence itself.
_SAYS_NOTHING = frozenset((Reason.READY, Reason.RETRY))
_WHY_THEN = {
    Reason.READY: "it is due to be collected",
    Reason.RETRY: "the schedule of retries says so",
    Reason.OTHER_METHOD: "another stored method is tried at once",
    Reason.NETWORK_LIMIT: "the card network allows no more tries before",
    Reason.NOT_SENT: "the last request never reached the processor",
    Reason.BRAKED: "charging through its processor is paused",
    Reason.STRIPE_UNREADABLE: "Stripe could not be asked whether it is still open",
    Reason.FAILED_LATE: "the debit failed after it had been collected",
}
_BECAUSE = {
    Reason.CHECKOUT: "the customer has not finished the checkout",
    Reason.CONSENT: "it is more than the customer agreed to",
    Reason.DRAFT: "it was a draft",
    Reason.NO_METHOD: "no payment method can be charged: the customer has to give one",
    Reason.NETWORK_LIMIT: "the card was declined as often as its network allows",
    Reason.STRIPE_PAYMENT_PROCESSING: "Stripe itself is taking a payment",
    Reason.HANDED_TO_STRIPE: "Stripe collects it now",
    Reason.IN_DOUBT: "the processor has not answered, and is being asked",
    Reason.ACCEPTED: "the processor tells the result later",
    Reason.NEEDS_CUSTOMER: "the customer has to approve it",
    Reason.DECLINED_FOR_GOOD: "refused for good: the customer has to give another method",
    Reason.SUSPECTED_FRAUD: "fraud is suspected: somebody has to look",
    Reason.TRIES_USED_UP: "all tries are used up: the customer has to give another method",
    Reason.NO_TRY_FITS: "no further try fits before it is due",
    Reason.PAID_ELSEWHERE: "paid by other means",
    Reason.CREDIT_NOTE_DUE: "its credit note is still to be made",
    Reason.NOT_FINAL: "by setting only when it cannot fail any more",
    Reason.DISPUTED: "the customer disputes it",
}
