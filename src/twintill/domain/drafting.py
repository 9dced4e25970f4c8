"""The draft window: which rule judges a draft, how long it may be touched, who lets a held one go.

Rules judge drafts that would finalize by themselves. The first that matches decides: those of the
customer before those of the account, each in their order. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from twintill.domain.invoice import InvoiceLook, InvoiceStatus

WINDOW = "draft_window"
DEED = "review_deed"
LINES_MAX = 250  # of one invoice, says Stripe
TIMEOUT_MAX_S = 15  # of a hook, as of all that is sent to the app: below the lease
# A hook that does not answer is asked again after these pauses, while there is time.
ASK_PAUSES = (timedelta(seconds=30), timedelta(minutes=2))
# Nobody else asks the same hook so soon after it failed: a hanging one must not hold all workers.
HOOK_REST = timedelta(seconds=30)
_A_DAY = timedelta(days=1)


class Verb(StrEnum):
    """What is done to a draft that waits, or to one that shall; each is an operation."""

    HOLD = "hold"
    RELEASE = "release"
    VOID = "void"
    CHANGE = "change"  # its items
    FOLLOW = "follow"  # somebody did something in Stripe: see what it is now


class Then(StrEnum):
    """What becomes of a draft that a rule matches."""

    PROCEED = "proceed"  # Stripe finalizes it in its time
    HOLD = "hold"
    FINALIZE = "finalize"  # at once
    ASK = "ask"  # the hook says


@dataclass(frozen=True, slots=True)
class Item:
    """A line to add: an amount (negative: a credit), or a price of Stripe's and how many of it."""

    description: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    price: str | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """`url`: asked with the draft, answers within the time; `default`: when it does not."""

    url: str
    timeout_s: int


@dataclass(frozen=True, slots=True)
class Rule:
    """None of a condition: any. Amounts are of the draft's total, in minor units of `currency`.

    `default`: what happens when it cannot be done as it says.
    """

    id: str
    version: int
    customer_id: str | None
    place: int
    enabled: bool
    min_minor: int | None
    max_minor: int | None
    currency: str | None
    billing_reason: str | None
    then: Then
    items: tuple[Item, ...]
    why: str | None
    needs_approval: bool
    hook: Hook | None
    default: Then
    hook_failed_at: datetime | None = None

    def matches(self, draft: "Draft") -> bool:
        return (
            self.enabled
            and self.customer_id in (None, draft.customer_id)
            and self.currency in (None, draft.currency)
            and self.billing_reason in (None, draft.billing_reason)
            and (self.min_minor is None or draft.total_minor >= self.min_minor)
            and (self.max_minor is None or draft.total_minor <= self.max_minor)
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as Stripe shows it right now; amounts in minor units of `currency`."""

    look: InvoiceLook
    customer_id: str | None
    subscription_id: str | None
    billing_reason: str | None
    total_minor: int
    lines: int  # at least so many
    auto_advance: bool
    finalizes_at: datetime | None  # None: Stripe waits for its webhooks, or for somebody
    created_by: str | None  # the operation of ours that made it

    @property
    def id(self) -> str:
        return self.look.invoice_id

    @property
    def currency(self) -> str:
        return self.look.currency


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a draft, and who says so (`rule:...` or `hook:...`)."""

    then: Then
    by: str
    items: tuple[Item, ...] = ()
    why: str | None = None


def first_match(draft: Draft, rules: Sequence[Rule]) -> Rule | None:
    ordered = sorted(rules, key=lambda rule: (rule.customer_id is None, rule.place, rule.id))
    return next((rule for rule in ordered if rule.matches(draft)), None)


def why_untouched(draft: Draft, now: datetime, margin: timedelta) -> str | None:
    """Why no rule touches it (any more); None: the window is open.

    `margin`: so long before Stripe finalizes it, the window is over.
    """
    if draft.look.status is not InvoiceStatus.DRAFT:
        return f"it is {draft.look.status} already"
    if draft.look.collection_method != "send_invoice":
        return "Stripe collects it itself"
    if not draft.auto_advance:
        return "it does not finalize by itself: somebody holds it or has not finished it"
    if draft.created_by is not None and draft.billing_reason == "subscription_create":
        return "it is a sign-up's first invoice: the customer is shown this amount just now"
    if draft.finalizes_at is not None and draft.finalizes_at - margin <= now:
        return "the window is over: Stripe is about to finalize it"
    return None


def asks_again_in(asked: int, draft: Draft, now: datetime, margin: timedelta) -> timedelta | None:
    """After so many askings without an answer; None: what the rule says for that case."""
    if asked > len(ASK_PAUSES):
        return None
    pause = ASK_PAUSES[asked - 1]
    return pause if why_untouched(draft, now + pause, margin) is None else None


def rests_for(rule: Rule, now: datetime) -> timedelta:
    """How long its hook is left alone, since it failed somebody else just now."""
    if rule.hook_failed_at is None:
        return timedelta(0)
    return max(timedelta(0), rule.hook_failed_at + HOOK_REST - now)


def may_not_approve(actor: str, held_by: str, changed_by: str | None) -> str | None:
    """The second person is another one than who held it by hand or changed it last."""
    if actor == changed_by:
        return "changed it last"
    return "held it" if actor == held_by else None


def next_notice(
    now: datetime, told: int, held_at: datetime, period_ends_at: datetime | None, after: timedelta
) -> datetime:
    """When somebody is (again) told that a draft waits: in any case a day before the next one.

    A held draft is never charged; the next period's invoice comes on top of it.
    """
    regular = held_at + after if told == 0 else now + _A_DAY
    if period_ends_at is None:
        return regular
    last_call = period_ends_at - _A_DAY
    return min(regular, max(last_call, held_at)) if told == 0 or last_call > now else regular
