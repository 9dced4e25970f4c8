"""The objects of the API, and how each looks as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twintill.sandbox.processor.magic import Decline, Magic

Json = dict[str, Any]


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class SetupSession:
    id: str
    created: datetime
    expires_at: datetime
    url: str
    return_url: str
    cancel_url: str
    customer: str
    customer_reference: str
    currency: str
    description: str
    status: str = "open"  # complete, canceled, expired
    method: Method | None = None
    details: Json = field(default_factory=dict)  # what only a stand-in's own API knows of it

    def to_json(self) -> Json:
        return {
            "object": "setup_session",
            "id": self.id,
            "status": self.status,
            "url": self.url,
            "created": iso(self.created),
            "expires_at": iso(self.expires_at),
            "customer": self.customer,
            "customer_reference": self.customer_reference,
            "currency": self.currency,
            "method": self.method.to_json() if self.method else None,
        }


@dataclass(slots=True)
class Method:
    token: str
    customer: str
    magic: Magic
    created: datetime
    status: str = "active"  # revoked, expired, blocked, failed
    stage: str = "active"  # of a bank debit's mandate: pending_submission, submitted
    declined: int = 0  # charges so far, for methods that decline only some
    lost_keys: set[str] = field(default_factory=set)  # requests that got lost once

    def to_json(self) -> Json:
        return {
            "object": "method",
            "token": self.token,
            "customer": self.customer,
            "kind": self.magic.kind,
            "status": self.status,
            "display": self._display,
            "created": iso(self.created),
        }

    @property
    def _display(self) -> dict[str, str]:
        shown = dict(self.magic.display)
        if self.magic.expires_soon:
            shown["exp"] = f"{self.created:%m/%y}"
        return shown


@dataclass(slots=True)
class Charge:
    id: str
    reference: str
    amount: int  # minor units by this processor's own exponents
    currency: str
    token: str
    customer: str
    description: str
    metadata: dict[str, str]
    created: datetime
    status: str = "pending"  # requires_action, succeeded, declined, canceled, failed
    finality: str | None = None  # provisional, final
    decline: Decline | None = None
    expected_at: datetime | None = None
    action_url: str | None = None
    action_expires_at: datetime | None = None
    refunded: int = 0
    disputed: bool = False
    approved_amount: int | None = None  # less than was asked for: a partial approval
    not_before: datetime | None = None  # a debit's days count from here
    submitted: bool = False  # a debit that is with the bank
    payout: str | None = None  # the one that brought its money to the merchant
    details: Json = field(default_factory=dict)  # what only a stand-in's own API knows of it

    @property
    def taken(self) -> int:
        """What was approved of it."""
        return self.amount if self.approved_amount is None else self.approved_amount

    def to_json(self) -> Json:
        return {
            "object": "charge",
            "id": self.id,
            "status": self.status,
            "reference": self.reference,
            "amount": self.amount,
            "currency": self.currency,
            "token": self.token,
            "customer": self.customer,
            "description": self.description,
            "metadata": self.metadata,
            "created": iso(self.created),
            "finality": self.finality,
            "expected_at": iso(self.expected_at),
            "action_url": self.action_url,
            "action_expires_at": iso(self.action_expires_at),
            "decline": _decline_json(self.decline),
            "amount_approved": self.taken if self.status == "succeeded" else None,
            "amount_refunded": self.refunded,
            "disputed": self.disputed,
        }


def _decline_json(decline: Decline | None) -> Json | None:
    if decline is None:
        return None
    return {
        "code": decline.code,
        "text": decline.text,
        "category": decline.category,
        "retry_after_s": decline.retry_after_s,
    }


@dataclass(slots=True)
class Refund:
    id: str
    charge: str
    amount: int
    currency: str
    reference: str | None
    created: datetime
    status: str = "succeeded"  # pending, failed
    details: Json = field(default_factory=dict)  # what only a stand-in's own API knows of it

    def to_json(self) -> Json:
        return {
            "object": "refund",
            "id": self.id,
            "charge": self.charge,
            "amount": self.amount,
            "currency": self.currency,
            "reference": self.reference,
            "status": self.status,
            "created": iso(self.created),
        }


@dataclass(slots=True)
class Dispute:
    id: str
    charge: str
    reference: str  # of the charge
    amount: int
    currency: str
    reason: str
    created: datetime
    status: str = "open"  # under_review, won, lost, accepted
    withheld: bool = False  # the amount was taken from the merchant's balance
    fee: int = 0

    def to_json(self) -> Json:
        return {
            "object": "dispute",
            "id": self.id,
            "charge": self.charge,
            "reference": self.reference,
            "amount": self.amount,
            "currency": self.currency,
            "reason": self.reason,
            "status": self.status,
            "withheld": self.withheld,
            "fee": self.fee,
            "created": iso(self.created),
        }


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the processor's book; a positive amount is the merchant's."""

    id: str
    # charge, charge_failure, refund, refund_failure, dispute, dispute_reversal, fee, payout
    type: str
    amount: int
    currency: str
    source: str  # the charge, refund or dispute that moved it
    charge: str
    reference: str  # of the charge
    created: datetime

    def to_json(self) -> Json:
        return {
            "object": "transaction",
            "id": self.id,
            "type": self.type,
            "amount": self.amount,
            "currency": self.currency,
            "source": self.source,
            "charge": self.charge,
            "reference": self.reference,
            "created": iso(self.created),
        }


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to the merchant's bank: the lines of the book that it consists of."""

    id: str
    amount: int
    currency: str
    created: datetime
    lines: tuple[Movement, ...]

    @property
    def fees(self) -> int:
        return -sum(line.amount for line in self.lines if line.type == "fee")

    def to_json(self) -> Json:
        return {
            "object": "payout",
            "id": self.id,
            "amount": self.amount,
            "currency": self.currency,
            "fees": self.fees,
            "created": iso(self.created),
        }


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    type: str
    created: datetime
    object: Json  # as it was then
    cause: str = ""  # the engine's word for it, where the type is a processor's

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "type": self.type,
            "created": iso(self.created),
            "data": {"object": self.object},
        }
