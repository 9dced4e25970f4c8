"""Money that goes back: refunds by the merchant, disputes by the customer."""

from __future__ import annotations

from datetime import datetime

from twintill.sandbox.processor.magic import Refunding
from twintill.sandbox.processor.objects import Charge, Dispute, Json, Refund
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.world import World


def refund_charge(
    world: World,
    charge_id: str,
    amount: int | None,
    reference: str | None,
    now: datetime,
    details: Json | None = None,
) -> Refund:
    """Part or all of a charge, as often as something is left of it; no amount: all that is left."""
    charge = world.charge(charge_id)
    refund = Refund(
        id=world.new_id("rfd"),
        charge=charge.id,
        amount=_refundable(charge, amount),
        currency=charge.currency,
        reference=reference,
        created=now,
        details=details or {},
    )
    world.refunds[refund.id] = refund
    charge.refunded += refund.amount
    world.move_money("refund", charge, -refund.amount, source=refund.id, now=now)
    if world.methods[charge.token].magic.refunding is not Refunding.NOW:
        refund.status = "pending"
        world.appoint(world.later(now, world.settings.refund_days), "end_refund", refund.id)
    world.emit(f"refund.{refund.status}", refund.to_json(), now)
    return refund


def end_refund(world: World, refund_id: str, now: datetime) -> None:
    """A refund that was on its way arrives, or comes back to the merchant."""
    charge = world.charge(world.refund(refund_id).charge)
    fails = world.methods[charge.token].magic.refunding is Refunding.FAILS
    finish_refund(world, refund_id, now, failed=fails)


def finish_refund(world: World, refund_id: str, now: datetime, *, failed: bool) -> None:
    refund = world.refund(refund_id)
    if refund.status != "pending":
        return
    charge = world.charge(refund.charge)
    if failed:
        refund.status = "failed"
        charge.refunded -= refund.amount
        world.move_money("refund_failure", charge, refund.amount, source=refund.id, now=now)
    else:
        refund.status = "succeeded"
    world.emit(f"refund.{refund.status}", refund.to_json(), now)


def open_dispute(
    world: World,
    charge_id: str,
    amount: int | None,
    reason: str,
    now: datetime,
    *,
    withheld: bool = True,
) -> Dispute:
    """The customer's bank takes the money at once (or later); the merchant may win it back."""
    charge = world.charge(charge_id)
    if charge.disputed:
        raise Refusal(409, "already_disputed", f"{charge.id} is disputed already.")
    dispute = Dispute(
        id=world.new_id("dsp"),
        charge=charge.id,
        reference=charge.reference,
        amount=_disputable(charge, amount),
        currency=charge.currency,
        reason=reason,
        created=now,
        fee=world.settings.dispute_fee_minor,
    )
    world.disputes[dispute.id] = dispute
    charge.disputed = True
    if withheld:
        _withhold(world, dispute, now)
    world.move_money("fee", charge, -dispute.fee, source=dispute.id, now=now)
    world.emit("dispute.opened", dispute.to_json(), now)
    return dispute


def charge_back(world: World, charge_id: str, now: datetime) -> None:
    """The customer asks for a debit back, unless it is gone or disputed already."""
    charge = world.charge(charge_id)
    if charge.status == "succeeded" and not charge.disputed and charge.refunded < charge.taken:
        open_dispute(world, charge_id, None, "refund_requested", now)


def withhold(world: World, dispute_id: str, now: datetime) -> Dispute:
    """The bank takes what it left with the merchant so far; also after he has lost."""
    dispute = world.dispute(dispute_id)
    if dispute.withheld or dispute.status == "won":
        raise Refusal(409, "not_to_be_withheld", "The amount is taken already, or was won.")
    _withhold(world, dispute, now)
    world.emit("dispute.withheld", dispute.to_json(), now)
    return dispute


def review_dispute(world: World, dispute_id: str, now: datetime) -> Dispute:
    """The merchant has handed his evidence in."""
    dispute = world.dispute(dispute_id)
    if dispute.status != "open":
        raise Refusal(409, "already_resolved", f"The dispute was {dispute.status}.")
    dispute.status = "under_review"
    world.emit("dispute.under_review", dispute.to_json(), now)
    return dispute


def resolve_dispute(world: World, dispute_id: str, outcome: str, now: datetime) -> Dispute:
    dispute = world.dispute(dispute_id)
    if outcome not in ("won", "lost", "accepted"):
        raise Refusal(422, "invalid_request", 'It is resolved as "won", "lost" or "accepted".')
    if dispute.status not in ("open", "under_review"):
        raise Refusal(409, "already_resolved", f"The dispute was {dispute.status}.")
    charge = world.charge(dispute.charge)
    dispute.status = outcome
    if outcome == "won":
        charge.disputed = False
        if dispute.withheld:
            dispute.withheld = False
            amount = dispute.amount
            world.move_money("dispute_reversal", charge, amount, source=dispute.id, now=now)
    world.emit(f"dispute.{outcome}", dispute.to_json(), now)
    return dispute


def _withhold(world: World, dispute: Dispute, now: datetime) -> None:
    dispute.withheld = True
    charge = world.charge(dispute.charge)
    world.move_money("dispute", charge, -dispute.amount, source=dispute.id, now=now)


def _disputable(charge: Charge, amount: int | None) -> int:
    """Banks do not know what the merchant gave back: up to the whole charge."""
    if charge.status != "succeeded":
        raise Refusal(409, "not_disputable", f"The charge is {charge.status}.")
    wanted = charge.taken - charge.refunded if amount is None else amount
    if not 0 < wanted <= charge.taken:
        raise Refusal(422, "dispute_exceeds_charge", f"The charge was {charge.taken}.")
    return wanted


def _refundable(charge: Charge, amount: int | None) -> int:
    left = charge.taken - charge.refunded
    if charge.status != "succeeded":
        raise Refusal(409, "not_refundable", f"The charge is {charge.status}.")
    if charge.disputed:
        raise Refusal(409, "charge_disputed", "The money of this charge is disputed.")
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise Refusal(422, "refund_exceeds_charge", f"{left} of {charge.taken} can go back.")
    return wanted
