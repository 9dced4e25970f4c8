"""The events of drafts that the user's app may be told of: a part of the catalogue."""

from twintill.domain.event_type import EventType

DRAFT_HELD = "draft.held"
DRAFT_WAITING = "draft.waiting"
REVIEW_ENDED = "draft.review_ended"
DRAFT_RULE_FAILED = "draft.rule_failed"

_REVIEW = {
    "id": "rev_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "object": "invoice_review",
    "invoice": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "customer": "cus_QXg1o8vcGmoR32",
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "state": "held",
    "currency": "eur",
    "total": 4900,
    "why": "more than 40 EUR",
    "held_by": "rule:drl_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "held_at": 1795252800,
    "approved_by": None,
    "ended_by": None,
    "period_ends_at": 1797844800,
}

DRAFT_EVENTS = (
    EventType(
        DRAFT_HELD,
        "A draft waits for a review: a rule, your hook, a person, or somebody in Stripe held it. "
        "It is not charged before it is released.",
        {**_REVIEW, "period_ends_at": None},
    ),
    EventType(
        DRAFT_WAITING,
        "A draft still waits: told after a day (`review_notice`), again each day, and in any case "
        "a day before the next period's invoice comes on top of it.",
        {**_REVIEW, "waiting_for_s": 86400, "told_before": 0},
    ),
    EventType(
        REVIEW_ENDED,
        "A draft waits no longer: `state` says whether it was released or voided, and `ended_by` "
        "by whom; `..._elsewhere`: in Stripe.",
        {**_REVIEW, "state": "released", "approved_by": "api:grace", "ended_by": "api:ada"},
    ),
    EventType(
        DRAFT_RULE_FAILED,
        "A rule for drafts could not be done as it says (its hook did not answer, or something "
        "that cannot be done; Stripe refused its items): `did` is what happened instead.",
        {
            "id": "in_1PgafmB7WZ01zgkW6dKueIc5",
            "object": "invoice",
            "customer": "cus_QXg1o8vcGmoR32",
            "why": "asked 3 times: no answer within 5 s",
            "rule": "drl_4Yk9n2bT7xQz1LmN8vRc3WpD",
            "rule_version": 1,
            "did": "hold",
        },
    ),
)
