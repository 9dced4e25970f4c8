"""What a line of a processor's settlement report posts. Pure.

What a charge, a refund, a dispute brought or took is posted by its own fact; of its line only the
fee is new. What is not of a charge of ours moved our balance all the same, so it is posted too:

    kind                      of ours             of a charge that is not ours   of no charge
    charge, refund, dispute   its fee / clearing  clearing / suspense, with fee  (not ours)
    and what undoes them
    fee                       fee / clearing      suspense / clearing            fee / clearing
    payout, and its return    bank:transit / clearing; a return the other way
    hold, and its release     processor:reserve / clearing; a release the other way
    other                     clearing / suspense, until a person knows what it is

So clearing is what the processor owes us, to the cent (docs/decisions/0011-settlement.md). A fee
that a dispute's facts have booked is not booked again; whichever of the two came first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from twintill.domain.ledger import (
    SUSPENSE,
    TRANSIT,
    LedgerTransaction,
    Posting,
    clearing,
    fee,
    reserve,
)
from twintill.money import Money


class SettlementKind(StrEnum):
    """Why our balance at a processor moved."""

    CHARGE = "charge"
    CHARGE_FAILED = "charge_failed"  # a debit came back
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"  # taken, or held
    DISPUTE_WON = "dispute_won"
    FEE = "fee"  # on its own
    PAYOUT = "payout"  # left for our bank account
    PAYOUT_RETURNED = "payout_returned"
    HOLD = "hold"  # put into, or back from, a reserve
    OTHER = "other"  # stands on `suspense` until a person knows what it is


REFUNDS = frozenset((SettlementKind.REFUND, SettlementKind.REFUND_FAILED))
DISPUTES = frozenset((SettlementKind.DISPUTE, SettlementKind.DISPUTE_WON))
OF_A_DISPUTE = DISPUTES | {SettlementKind.FEE}
# The fact of ours that brought or took the same money has posted it.
POSTED_BY_FACTS = REFUNDS | DISPUTES | {SettlementKind.CHARGE, SettlementKind.CHARGE_FAILED}
# What belongs to a charge, ours or not; the rest is of the processor account itself.
OF_A_CHARGE = POSTED_BY_FACTS | {SettlementKind.FEE}


class Whose(StrEnum):
    """Whose movement it is."""

    OURS = "ours"  # of a charge of ours
    FOREIGN = "foreign"  # somebody sells with the same account, and without us
    ACCOUNT = "account"  # of no charge


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of our balance, as it was first shown.

    `amount` is before the fee, and positive is ours: the balance moved by `amount - fee`.
    """

    id: str  # ours: the same for the same line of the same account, for ever
    processor: str
    processor_account_id: str
    kind: SettlementKind
    amount: Money
    fee: Money | None = None
    processor_payment_id: str | None = None
    reference: str | None = None
    object_id: str | None = None
    payout_id: str | None = None

    @property
    def names_a_charge(self) -> bool:
        return (self.processor_payment_id or self.reference) is not None

    @property
    def cost_minor(self) -> int:
        """What the processor kept; below zero: gave back."""
        fee_minor = 0 if self.fee is None else self.fee.minor
        return fee_minor - self.amount.minor if self.kind is SettlementKind.FEE else fee_minor


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line belongs in our books; `covered_minor` of its fee was posted by facts."""

    whose: Whose
    currency: str | None = None  # of the charge of ours
    covered_minor: int = 0


def whose(line: Line, *, is_ours: bool) -> Whose:
    """`is_ours`: a charge, refund or dispute of ours has its names."""
    if line.kind not in OF_A_CHARGE:
        return Whose.ACCOUNT
    if is_ours:
        return Whose.OURS
    if line.kind is SettlementKind.FEE and not line.names_a_charge:
        return Whose.ACCOUNT
    return Whose.FOREIGN


def covered_minor(line: Line, told_minor: int, elsewhere_minor: int) -> int:
    """How much of this line's fee its dispute's facts have posted.

    `told_minor`: all that they have posted; `elsewhere_minor`: of it, what other lines show.
    """
    return max(0, min(line.cost_minor, told_minor - elsewhere_minor))


def why_not_booked(line: Line, place: Place) -> str | None:
    """A sentence for people, where it is kept and posts nothing."""
    currency = line.amount.currency
    if line.fee is not None and line.fee.currency != currency:
        return f"its fee is in {line.fee.currency}, its amount in {currency}: book it by hand"
    if place.currency not in (None, currency):
        return f"it is in {currency}, its charge in {place.currency}: book it by hand"
    return None


def booked(
    line: Line, place: Place, n: int, before: tuple[Line, Place] | None = None
) -> LedgerTransaction | None:
    """What is to be posted now, the n-th time for this line: the difference to what was.

    None: nothing is. `before`: as it was posted the last time.
    """
    difference = dict(_legs(line, place))
    for account, minor in _legs(*before).items() if before is not None else ():
        difference[account] = difference.get(account, 0) - minor
    legs = tuple(
        Posting(account, line.amount.currency, minor)
        for account, minor in sorted(difference.items())
        if minor
    )
    return LedgerTransaction(f"settlement:{line.id}:{n}", "settlement", legs) if legs else None


def _legs(line: Line, place: Place) -> Mapping[str, int]:
    """The accounts that it moves, without those that it moves by nothing."""
    if why_not_booked(line, place) is not None:
        return {}
    there, its_fee = clearing(line.processor_account_id), fee(line.processor)
    cost_minor, amount_minor = line.cost_minor, line.amount.minor
    match place.whose, line.kind:
        case Whose.OURS, _:
            legs = {its_fee: cost_minor - place.covered_minor}
        case (Whose.FOREIGN, _) | (_, SettlementKind.OTHER):
            fee_minor = 0 if line.fee is None else line.fee.minor
            legs = {SUSPENSE: fee_minor - amount_minor}
        case _, SettlementKind.FEE:
            legs = {its_fee: cost_minor}
        case _, SettlementKind.HOLD:
            legs = {reserve(line.processor_account_id): -amount_minor, its_fee: cost_minor}
        case _:
            legs = {TRANSIT: -amount_minor, its_fee: cost_minor}
    return {**legs, there: -sum(legs.values())}


def completed(kept: Line, shown: Line) -> tuple[Line, tuple[str, ...]]:
    """A line that is shown again: what was not known before is filled in.

    Also the names of what differs: that is a person's, and is never taken over silently.
    """
    differs, filled = [], {}
    for name in _SHOWN:
        was, now = getattr(kept, name), getattr(shown, name)
        if was == now or now is None:
            continue
        if was is None:
            filled[name] = now
        else:
            differs.append(name)
    return (kept if differs else replace(kept, **filled)), tuple(differs)


_SHOWN = ("kind", "amount", "fee", "processor_payment_id", "reference", "object_id", "payout_id")
