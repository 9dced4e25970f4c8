"""Is it unusual that Stripe is silent? Then what was not delivered is looked for more often.

Nothing here proves a failure: a wrong yes costs some reads of Stripe, a wrong no half an hour.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Our own `pay` comes back as invoice.paid within seconds.
ECHO_WITHIN = timedelta(minutes=3)
# Stripe finalizes a subscription's draft an hour after invoice.created was delivered.
FINALIZED_WITHIN = timedelta(minutes=90)
QUIET = timedelta(hours=1)
# The longest gaps may have been failures themselves; the third is what is usual.
GAPS_KNOWN = 3


@dataclass(frozen=True, slots=True)
class Signs:
    """What our own books say about Stripe's deliveries; what we fetched ourselves is not one."""

    heard_at: datetime | None  # the last delivery
    gaps: tuple[timedelta, ...]  # the longest between deliveries lately, longest first
    reported_at: datetime | None  # the last invoice of ours that was reported paid
    echoed: bool  # whether its invoice.paid was delivered
    draft_since: datetime | None  # the oldest draft of today that was not seen finalized
    expecting: bool  # subscriptions are alive, or payments open


def unusual(signs: Signs, now: datetime) -> str | None:
    """The strongest reason to think that deliveries are lost; None: all seems well."""
    if signs.reported_at is not None and not signs.echoed:
        since = now - signs.reported_at
        if since > ECHO_WITHIN:
            return "an invoice that we reported paid has not come back as invoice.paid"
    if signs.draft_since is not None and now - signs.draft_since > FINALIZED_WITHIN:
        return "a draft has not come back as invoice.finalized"
    if not signs.expecting:
        return None
    if signs.heard_at is None:
        return "Stripe has not delivered anything yet"
    usual = max(QUIET, 2 * signs.gaps[-1]) if len(signs.gaps) >= GAPS_KNOWN else None
    if usual is not None and now - signs.heard_at > usual:
        return "Stripe is silent for longer than is usual here"
    return None
