"""Payouts: what goes to the merchant's bank, and which lines of the book it consists of.

Money that is only provisional waits. A charge that was taken back before it was ever paid out
cancels out and is in no payout. A balance below zero is carried on to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from twintill.sandbox.processor.objects import Json, Movement, Payout
from twintill.sandbox.processor.world import World

# What takes a line back, by its own type; True: only one with the same source.
_TAKES_BACK: Mapping[str, tuple[str, bool]] = {
    "charge_failure": ("charge", False),
    "dispute": ("charge", False),
    "dispute_reversal": ("dispute", True),
}
# What the engine says of a line that is in a payout, by the line's type.
_TOLD: Mapping[str, str] = {
    "charge": "charge.paid_out",
    "charge_failure": "charge.failure_settled",
    "dispute": "dispute.settled",
    "refund": "refund.settled",
    "refund_failure": "refund.returned",
}


def pay_out(world: World, _: str, now: datetime) -> None:
    """A sweep: one payout for each currency with something in it."""
    world.begin_sweep()
    world.unsettled = _without_pairs(world.unsettled)
    for currency in sorted({line.currency for line in world.unsettled}):
        lines = [
            line
            for line in world.unsettled
            if line.currency == currency and not _is_held(world, line)
        ]
        if sum(line.amount for line in lines) > 0:
            _send(world, currency, lines, now)
    if world.unsettled:
        world.plan_sweep(now)


def _send(world: World, currency: str, lines: Sequence[Movement], now: datetime) -> None:
    payout = Payout(
        id=world.new_id("po"),
        amount=sum(line.amount for line in lines),
        currency=currency,
        created=now,
        lines=tuple(lines),
    )
    world.payouts[payout.id] = payout
    paid = {line.id for line in lines}
    world.unsettled = [line for line in world.unsettled if line.id not in paid]
    world.book.append(
        Movement(
            id=world.new_id("txn"),
            type="payout",
            amount=-payout.amount,
            currency=currency,
            source=payout.id,
            charge="",
            reference="",
            created=now,
        )
    )
    for line in lines:
        if line.type == "charge":
            world.charge(line.charge).payout = payout.id
        _tell(world, line, payout, now)
    world.emit("payout.paid", payout.to_json(), now)


def _tell(world: World, line: Movement, payout: Payout, now: datetime) -> None:
    event = _TOLD.get(line.type)
    if event is not None:
        world.emit(event, {**_source(world, line), "payout": payout.id}, now)


def _source(world: World, line: Movement) -> Json:
    if line.type.startswith("refund"):
        return world.refund(line.source).to_json()
    if line.type == "dispute":
        return world.dispute(line.source).to_json()
    return world.charge(line.source).to_json()


def _is_held(world: World, line: Movement) -> bool:
    charge = world.charge(line.charge)
    provisional = charge.status == "succeeded" and charge.finality == "provisional"
    return provisional and not charge.disputed


def _without_pairs(lines: Sequence[Movement]) -> list[Movement]:
    left: list[Movement] = []
    for line in lines:
        taken_back = _taken_back(left, line)
        if taken_back is None:
            left.append(line)
        else:
            left.remove(taken_back)
    return left


def _taken_back(lines: Sequence[Movement], line: Movement) -> Movement | None:
    kind, same_source = _TAKES_BACK.get(line.type, ("", False))
    for former in lines:
        if (
            former.type == kind
            and former.charge == line.charge
            and former.amount == -line.amount
            and (former.source == line.source or not same_source)
        ):
            return former
    return None
