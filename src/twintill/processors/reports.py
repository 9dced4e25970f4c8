"""What a processor tells when it is asked: what was never delivered, and where the money went.

Both are optional: a processor that cannot be asked does not implement them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.domain.settlement import SettlementKind
from twintill.money import Money

__all__ = [
    "EventLists",
    "EventPage",
    "SettlementKind",
    "SettlementLine",
    "SettlementPage",
    "Settlements",
]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some of what was, or should have been, told by webhook.

    Each body is one that `parse_webhook` reads; `following`: where the next page begins.
    """

    bodies: tuple[bytes, ...]
    following: str | None = None


@runtime_checkable
class EventLists(Protocol):
    """Asking for events that were never delivered. An event's key is the same as its webhook's."""

    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        """A page of those that happened since then; one request.

        `after`: `following` of the page before. NoAnswer or NotSent: could not look.
        """


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One movement of our balance at a processor, as its own report shows it.

    `amount`: before the fee; positive is ours. `fee`: what the processor kept of it; below zero:
    given back. The balance moved by `amount - fee`. What is not of a charge of ours is told too: a
    balance that moved and is not told of, cannot be explained.
    """

    line_id: str  # the processor's: the same line has the same id in every report
    kind: SettlementKind
    raw_type: str
    amount: Money
    occurred_at: datetime
    fee: Money | None = None
    processor_payment_id: str | None = None
    reference: str | None = None  # ours, where it is shown
    object_id: str | None = None  # of the refund, the dispute; a dispute's own fee names it too
    payout_id: str | None = None  # the payout that it went out with, or is


@dataclass(frozen=True, slots=True)
class SettlementPage:
    """Some lines; `following`: where the next page begins, None at the end."""

    lines: tuple[SettlementLine, ...]
    following: str | None = None


@runtime_checkable
class Settlements(Protocol):
    """Reading what was paid out and what it cost. Without it, reports are read by people."""

    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        """A page of the lines since then, each shown again until nothing of it can change.

        `after`: `following` of the page before. NoAnswer or NotSent: could not look.
        """
