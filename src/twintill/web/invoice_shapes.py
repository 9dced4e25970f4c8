"""What is answered about one invoice: how it stands, and its whole story."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from twintill.web.examples import AN_INVOICE, shown
from twintill.web.pagination import ListShape
from twintill.web.shapes import AttemptShape, FollowOnShape, InvoiceShape, Seconds

_SHOWN: dict[str, Any] = {
    **AN_INVOICE,
    "status": "open",
    "amount_paid": 0,
    "amount_remaining": 4900,
}


class NextAttemptShape(BaseModel):
    """When it is tried next, and why then."""

    at: Seconds
    payment_method: str
    why: str = Field(description="For people.")

    model_config = shown(
        at=1795425600,
        payment_method="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
        why="the schedule waits a day after decline 1",
    )


class SubscriptionChangeShape(BaseModel):
    """A status that its subscription came to, after this invoice and before the next."""

    status_before: str | None
    status_after: str
    at: Seconds = Field(description="When Twintill heard of it.")
    occurred_at: Seconds | None = Field(description="When it was, by Stripe's clock.")
    actor: str = Field(description="Stripe's event, or what Twintill did itself.")

    model_config = shown(
        status_before="active",
        status_after="past_due",
        at=1797931260,
        occurred_at=1797931200,
        actor="evt_1PhafmB7WZ01zgkWqq3b",
    )


class ActionShape(BaseModel):
    """What somebody did to it through Twintill."""

    id: str
    action: str
    actor: str = Field(description="person:..., api:..., rule:..., or hook.")
    why: str | None
    detail: dict[str, Any]
    at: Seconds

    model_config = shown(
        id="act_4Yk9n2bT7xQz1LmN8vRc3WpD",
        action="finalized",
        actor="api:billing",
        why=None,
        detail={},
        at=1795252860,
    )


class WholeInvoiceShape(InvoiceShape):
    """An invoice with everything that people ask about it."""

    state_in_words: str = Field(description="How it stands, in plain English; never parse it.")
    overdue: bool = Field(description="Open, and its due date has passed.")
    attempts: list[AttemptShape] = Field(description="Charges and refunds, with the raw codes.")
    next_attempt: NextAttemptShape | None
    subscription_status: str | None
    subscription_history: list[SubscriptionChangeShape] = Field(
        description="From this invoice on, until the next of the same subscription."
    )
    actions: list[ActionShape] = Field(description="Who did what to it, the oldest first.")
    continues: str | None = Field(description="The invoice whose rest, or failed debit, it is.")
    followed_by: list[FollowOnShape]

    model_config = shown(
        **_SHOWN,
        state_in_words="Open, 49.00 EUR to pay: it waits. Declined once (insufficient_funds). "
        "Tried again on 23 Nov 2026, 09:20 UTC: the schedule waits a day after decline 1. "
        "Due on 21 Dec 2026, 09:20 UTC.",
        overdue=False,
        subscription_status="active",
        continues=None,
    )


class LineShape(BaseModel):
    """One line of an invoice's story."""

    id: str
    object: Literal["timeline_line"] = "timeline_line"
    at: Seconds = Field(description="When Twintill knew or did it: the lines' order.")
    occurred_at: Seconds | None = Field(description="When it was, by the sender's clock.")
    source: str = Field(description="person, stripe, processor, twintill or ledger: whose word.")
    kind: str
    text: str = Field(description="For people; never parse it.")
    ids: dict[str, str] = Field(description="The ids that it is about, by what they are.")
    planned: bool = Field(description="Still to come, unless something changes.")

    model_config = shown(
        id="att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71:answered",
        at=1795252831,
        occurred_at=None,
        source="processor",
        kind="charge.declined",
        text="sandbox: charge 1 declined (insufficient_funds)",
        ids={"attempt": "att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71", "processor_payment": "chg_7f3k2"},
        planned=False,
    )


class TimelineShape(ListShape[LineShape]):
    """A page of an invoice's story, the oldest line first."""

    truncated: bool = Field(
        description="A source has more than 1000 rows: its newest are left out."
    )

    model_config = shown(
        url="/v1/invoices/in_1PgafmB7WZ01zgkW6dKueIc5/timeline", has_more=False, truncated=False
    )
