"""What is "by setting": one frozen object per Stripe account, with safe defaults.

A policy that breaks a rule cannot be made. What one customer has otherwise: `overrides`.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from twintill.errors import PolicyRefused

DAY = timedelta(days=1)
# Visa's limit of one card in 30 days, the strictest of all; tries are never less than a day apart.
TRIES_MAX = 15
_LONGEST = timedelta(days=365)


class Partial(StrEnum):
    """What happens when less was paid than an invoice asks for."""

    SPLIT = "split"  # the rest is credited on it and invoiced anew
    PERSON = "person"


class Exhausted(StrEnum):
    """What happens in Stripe to an invoice that dunning gave up."""

    LEAVE_OPEN = "leave_open"
    MARK_UNCOLLECTIBLE = "mark_uncollectible"
    CANCEL_SUBSCRIPTION = "cancel_subscription"  # at once; the invoice stays open


class AtEnd(StrEnum):
    """What happens to the invoices that a subscription leaves open when it ends."""

    COLLECT = "collect"  # what is owed is still collected
    VOID = "void"
    MARK_UNCOLLECTIBLE = "mark_uncollectible"


class Revoked(StrEnum):
    """What follows when the last method that could be charged was withdrawn at its processor."""

    ASK_CUSTOMER = "ask_customer"  # for another one, before anything is cancelled
    CANCEL_AT_PERIOD_END = "cancel_at_period_end"
    CANCEL_NOW = "cancel_now"


class Unanswered(StrEnum):
    """What follows when the customer was asked for another method and gave none."""

    CANCEL_AT_PERIOD_END = "cancel_at_period_end"
    NOTHING = "nothing"


class FirstPaymentFailed(StrEnum):
    """What becomes of a subscription that Stripe calls active, when its first payment failed."""

    CANCEL = "cancel"
    LEAVE = "leave"


class FailedAfterReport(StrEnum):
    """What follows when a debit fails that Stripe was told of already."""

    REPLACE = "replace"  # credit note on its invoice, then a new invoice that is collected
    PERSON = "person"  # a person decides; when he unparks it, it is replaced


class ReportWhen(StrEnum):
    """When Stripe is told of a debit that may still fail by itself."""

    CONFIRMED = "confirmed"  # as soon as the processor says that it has the money
    FINAL = "final"  # paid out: it cannot fail any more; or the invoice is nearly due


class LostDispute(StrEnum):
    """What Stripe is told of money that was lost to a dispute."""

    CREDIT_NOTE = "credit_note"  # the invoice is credited: it was not paid in the end
    LOSS = "loss"  # nothing: the invoice stays paid, and the loss is ours


class Fate(StrEnum):
    """What becomes of the subscription whose payment the customer disputes."""

    NOTHING = "nothing"
    CANCEL_AT_PERIOD_END = "cancel_at_period_end"
    CANCEL_NOW = "cancel_now"


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations are timedeltas; counts are counts. The defaults are the careful choice."""

    # Dunning of soft declines: the pauses before the second, third, ... try with one method.
    retry_pauses: tuple[timedelta, ...] = (
        timedelta(days=1),
        timedelta(days=3),
        timedelta(days=5),
    )
    retry_span: timedelta = timedelta(days=15)
    retry_gap_min: timedelta = timedelta(days=1)
    # A try must be this far before the due date, so that its report still arrives in time.
    due_margin: timedelta = timedelta(hours=12)
    # What Stripe does by itself to a subscription whose invoice stays unpaid: copied by hand from
    # its Dashboard, Settings > Billing > Subscriptions and emails > Manage invoices sent to
    # customers > Subscription status: so long after the due date it is cancelled or marked unpaid.
    # None: "leave the subscription past-due". A cancelled subscription is worse than a late
    # invoice, so the last try must be further away from it.
    stripe_ends_after_due: timedelta | None = None
    stripe_ends_margin: timedelta = timedelta(days=2)
    exhausted: Exhausted = Exhausted.LEAVE_OPEN

    # The end of a subscription, and what leads to it.
    open_invoices_at_end: AtEnd = AtEnd.COLLECT
    revoked: Revoked = Revoked.ASK_CUSTOMER
    revoked_ask_for: timedelta = timedelta(days=14)
    revoked_unanswered: Unanswered = Unanswered.CANCEL_AT_PERIOD_END
    first_payment_failed: FirstPaymentFailed = FirstPaymentFailed.CANCEL
    first_payment_grace: timedelta = timedelta(days=1)  # for another method, after it failed
    expiry_notice: timedelta = timedelta(days=30)  # before a card expires the app is told
    due_notice: timedelta = timedelta(days=7)  # before an invoice is due the app is told

    # Bank debits: a payment that was reported cannot be unpaid in Stripe.
    failed_after_report: FailedAfterReport = FailedAfterReport.REPLACE
    report_when: ReportWhen = ReportWhen.CONFIRMED

    # Disputes: the processor is asked for those that it does not tell the end of.
    lost_dispute: LostDispute = LostDispute.CREDIT_NOTE
    dispute_opened: Fate = Fate.NOTHING
    dispute_lost: Fate = Fate.NOTHING
    dispute_pause: timedelta = timedelta(days=1)
    dispute_deadline: timedelta = timedelta(days=200)  # then a person asks

    # In doubt: ask soon, then at growing intervals, then a person.
    ask_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=15),
        timedelta(seconds=30),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
    )
    replay_share: float = 0.75  # of the processor's idempotency window
    doubt_deadline: timedelta = timedelta(days=3)

    partial: Partial = Partial.SPLIT

    # Accepted charges are told by webhook; asking is the safety net.
    pending_pause: timedelta = timedelta(days=1)
    pending_deadline: timedelta = timedelta(days=21)

    # Infrastructure: not a decline, its own fast back-off.
    not_sent_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(minutes=30),
    )
    stripe_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=2),
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(minutes=30),
    )
    reports_before_notice: int = 20  # a wrong key must not go unnoticed
    look_pause: timedelta = timedelta(hours=6)  # nothing to do now, but never forgotten

    # Drafts: so long before Stripe finalizes one no rule touches it any more; and so long one may
    # wait for a review before the app is told (in any case a day before the period's end).
    draft_margin: timedelta = timedelta(minutes=5)
    review_notice: timedelta = DAY

    # Somebody made a switch to Stripe in its Dashboard: so long it can be taken back there before
    # the tokens at the processor are dropped, which cannot.
    switch_seen_pause: timedelta = DAY

    # Tripwires: what pauses charging through one processor until a person resumes it. Only what
    # happened since the last `resume` counts.
    braked_pause: timedelta = timedelta(hours=1)  # looked at again; `resume` rings by itself
    brake_in_doubt: int = 50  # this many charges without an answer, for two minutes or longer
    brake_config: int = 3  # payments refused within an hour because something is not set up there
    brake_charged_percent: int = 150  # charged in an hour, of what the invoices charged had due
    brake_charged_min: int = 10  # approved charges, below which that says nothing
    brake_declines_rise: int = 30  # percentage points above the share of the last 7 days
    brake_declines_min: int = 30  # answers in the last hour, below which that says nothing
    brake_declines_history: int = 100  # answers in those 7 days, below which nothing is a jump

    # Money that Stripe will not take goes back by itself, once it is final, within these caps.
    refund_stranded: bool = True
    refund_pause: timedelta = timedelta(minutes=10)  # a person may be doing it by hand
    pair_pause: timedelta = timedelta(minutes=10)  # he may do both sides: the refund, the note
    refunds_per_hour: int = 20
    refund_minor_per_hour: int = 1_000_000  # of each currency, in its minor units
    refund_share_of_day: float = 0.1  # of what was collected in a day, per currency ...
    refunds_without_share: int = 3  # ... but so many a day go back in any case
    # What may be asked for by API, all keys together: a leaked one must not empty the till.
    asked_refunds_per_hour: int = 50
    asked_refund_minor_per_hour: int = 5_000_000  # of each currency, in its minor units
    provisional_deadline: timedelta = timedelta(days=60)

    def __post_init__(self) -> None:
        """Raises PolicyRefused with the field and its rule."""
        for field, kept, rule in _rules(self):
            if not kept:
                raise PolicyRefused(f"{field}: {rule}", param=field)

    @property
    def tries(self) -> int:
        """How often one method may be charged for one invoice."""
        return 1 + len(self.retry_pauses)


def _rules(p: Policy) -> tuple[tuple[str, bool, str], ...]:
    """(field, whether it is kept, the rule), in words that the one who set it can act on."""
    ends = p.stripe_ends_after_due
    return (
        ("retry_gap_min", DAY <= p.retry_gap_min <= _LONGEST, "tries are at least a day apart"),
        (
            "retry_pauses",
            all(DAY <= pause <= _LONGEST for pause in p.retry_pauses),
            "tries are at least a day apart",
        ),
        (
            "retry_pauses",
            p.tries <= TRIES_MAX,
            f"at most {TRIES_MAX} tries with one method: card networks allow no more in 30 days",
        ),
        ("retry_span", timedelta(0) <= p.retry_span <= _LONGEST, "from none to a year"),
        (
            "due_margin",
            timedelta(0) <= p.due_margin <= _LONGEST,
            "the last try comes before the due date, not after it",
        ),
        (
            "stripe_ends_after_due",
            ends is None or timedelta(0) <= ends <= _LONGEST,
            "counted from the due date on, as Stripe's Dashboard shows it",
        ),
        (
            "stripe_ends_margin",
            timedelta(0) <= p.stripe_ends_margin <= _LONGEST,
            "the last try comes before Stripe ends the subscription, not after it",
        ),
        (
            "switch_seen_pause",
            timedelta(hours=1) <= p.switch_seen_pause <= _LONGEST,
            "an hour or more: a slip of the hand in the Dashboard must not cost the tokens",
        ),
        (
            "draft_margin",
            timedelta(minutes=1) <= p.draft_margin <= timedelta(minutes=30),
            "from a minute to half an hour: Stripe finalizes a draft after an hour",
        ),
        *(
            (field, timedelta(0) <= getattr(p, field) <= _LONGEST, "from none to a year")
            for field in (
                "review_notice",
                "revoked_ask_for",
                "first_payment_grace",
                "expiry_notice",
                "due_notice",
            )
        ),
        *(
            (field, _is_a_schedule(getattr(p, field)), "one pause or more, none of them negative")
            for field in ("ask_pauses", "not_sent_pauses", "stripe_pauses")
        ),
        # The processor's clock and ours differ, and its window may be shorter than documented.
        ("replay_share", 0 < p.replay_share <= 0.9, "between 0 and 0.9 of the processor's window"),
    )


def _is_a_schedule(pauses: tuple[timedelta, ...]) -> bool:
    return bool(pauses) and all(timedelta(0) <= pause <= _LONGEST for pause in pauses)


def pause_after(pauses: tuple[timedelta, ...], count: int) -> timedelta:
    """The pause after the `count`-th repetition (0 = the first); the last one repeats."""
    return pauses[min(count, len(pauses) - 1)]
