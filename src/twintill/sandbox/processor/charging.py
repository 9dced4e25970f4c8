"""Charges: how one is made, and what becomes of it when its time comes or somebody decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from twintill.sandbox.processor.magic import (
    ACTION_EXPIRED,
    CUSTOMER_NEEDED,
    DO_NOT_RETRY,
    EXPIRED,
    REFUSED_BY_CUSTOMER,
    RETURNED,
    REVOKED,
    UNKNOWN_TOKEN,
    Answer,
    Decline,
    Ending,
    Magic,
)
from twintill.sandbox.processor.objects import Charge, Method
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.world import World

MAX_AMOUNT = 99_999_999_999


@dataclass(frozen=True, slots=True)
class Order:
    """What a charge request asks for."""

    reference: str
    amount: int
    currency: str
    token: str
    customer: str
    description: str
    metadata: dict[str, str]
    details: dict[str, Any] = field(default_factory=dict)  # for the API that was asked
    not_before: datetime | None = None  # of a debit


def create_charge(world: World, order: Order, base_url: str, now: datetime) -> Charge:
    """Raises Refusal when the request is wrong; a decline is a charge too."""
    _check(world, order)
    charge = Charge(
        id=world.new_id("chg"),
        reference=order.reference,
        amount=order.amount,
        currency=order.currency,
        token=order.token,
        customer=order.customer,
        description=order.description,
        metadata=order.metadata,
        created=now,
        details=order.details,
        not_before=order.not_before,
    )
    world.charges[charge.id] = charge
    world.by_reference.setdefault(charge.reference, []).append(charge)
    method = world.methods.get(order.token)
    if method is None or method.customer != order.customer:
        _decline(world, charge, UNKNOWN_TOKEN, now)
    elif method.status != "active":
        _decline(world, charge, _WITHDRAWN[method.status], now)
    else:
        _answer(world, charge, method, base_url, now)
    return charge


_WITHDRAWN = {"revoked": REVOKED, "expired": EXPIRED, "blocked": DO_NOT_RETRY}


def cancel_charge(world: World, charge_id: str, now: datetime) -> Charge:
    charge = world.charge(charge_id)
    if charge.status == "canceled":
        return charge
    if charge.status not in ("pending", "requires_action") or charge.submitted:
        raise Refusal(
            409,
            "not_cancelable",
            f"The charge is {charge.status}; only pending ones can be canceled.",
            charge=charge.to_json(),
        )
    _become(world, charge, "canceled", now)
    return charge


def resolve_action(world: World, charge_id: str, now: datetime, *, approved: bool) -> Charge:
    """The customer approves or refuses on the page."""
    charge = world.charge(charge_id)
    if charge.status == "requires_action":
        if approved:
            _succeed(world, charge, now)
        else:
            _decline(world, charge, REFUSED_BY_CUSTOMER, now)
    return charge


def submit(world: World, charge_id: str, now: datetime) -> None:
    """A bank debit leaves for the bank."""
    charge = world.charge(charge_id)
    if charge.status == "pending" and not charge.submitted:
        charge.submitted = True
        world.emit("charge.submitted", charge.to_json(), now)


def end_pending(world: World, charge_id: str, now: datetime) -> None:
    """A bank debit's day has come."""
    charge = world.charge(charge_id)
    if charge.status != "pending" or (charge.expected_at is not None and now < charge.expected_at):
        return
    submit_first(world, charge, now)
    method, settings = world.methods[charge.token], world.settings
    magic = method.magic
    if magic.ending is Ending.FAILS and (
        magic.declines is None or method.declined < magic.declines
    ):
        method.declined += 1
        _decline(world, charge, _reason(magic), now)
        return
    _succeed(world, charge, now)
    late = magic.ending is Ending.FAILS_LATE
    days = settings.debit_late_failure_days if late else settings.debit_final_days
    step = "fail_late" if late else "make_final"
    world.appoint(world.later(now, days), step, charge.id)


def confirm(world: World, charge_id: str, now: datetime) -> None:
    """A pending debit is collected now; nothing follows by itself."""
    charge = world.charge(charge_id)
    if charge.status != "pending":
        raise Refusal(409, "not_pending", f"The charge is {charge.status}.")
    submit_first(world, charge, now)
    _succeed(world, charge, now)


def fail(world: World, charge_id: str, decline: Decline, now: datetime) -> None:
    """A pending debit fails now."""
    charge = world.charge(charge_id)
    if charge.status != "pending":
        raise Refusal(409, "not_pending", f"The charge is {charge.status}.")
    submit_first(world, charge, now)
    _decline(world, charge, decline, now)


def submit_first(world: World, charge: Charge, now: datetime) -> None:
    """Nothing comes of a debit that was never with the bank."""
    if world.settings.debit_submission_days is not None:
        submit(world, charge.id, now)


def make_final(world: World, charge_id: str, now: datetime) -> None:
    charge = world.charge(charge_id)
    if charge.status != "succeeded" or charge.finality == "final":
        return
    charge.finality = "final"
    world.emit("charge.final", charge.to_json(), now)
    if _magic(world, charge).ending is Ending.CHARGED_BACK:
        days = world.settings.debit_late_failure_days
        world.appoint(world.later(now, days), "charge_back", charge.id)


def try_again(world: World, charge_id: str, now: datetime) -> Charge:
    """A bank debit that failed is handed in a second time: the same charge, from the beginning."""
    charge = world.charge(charge_id)
    if charge.status not in ("declined", "failed") or charge.expected_at is None:
        raise Refusal(409, "not_failed", f"The charge is {charge.status}.")
    charge.status, charge.decline, charge.finality = "pending", None, None
    charge.submitted, charge.payout = False, None
    world.emit("charge.tried_again", charge.to_json(), now)
    _begin_debit(world, charge, now)
    return charge


def approve_late(world: World, charge_id: str, now: datetime) -> None:
    """A decline that becomes an approval after all, as some processors do hours later."""
    charge = world.charge(charge_id)
    if charge.status != "declined" or charge.token not in world.methods:
        raise Refusal(409, "not_declined", f"The charge is {charge.status}.")
    charge.decline = None
    _succeed(world, charge, now)


def end_late(world: World, charge_id: str, now: datetime) -> None:
    """The day of a late failure: nothing fails that has failed, or that was asked back already."""
    charge = world.charge(charge_id)
    if charge.status == "succeeded" and not charge.disputed:
        fail_late(world, charge_id, now)


def fail_late(world: World, charge_id: str, now: datetime) -> None:
    """The bank takes back all that it had confirmed, even where a part was refunded already."""
    charge = world.charge(charge_id)
    if charge.status != "succeeded":
        raise Refusal(409, "not_succeeded", f"The charge is {charge.status}.")
    charge.decline = _magic(world, charge).decline or RETURNED
    charge.finality = None
    world.move_money("charge_failure", charge, -charge.taken, source=charge.id, now=now)
    _become(world, charge, "failed", now, event="charge.failed_late")


def expire_action(world: World, charge_id: str, now: datetime) -> None:
    charge = world.charge(charge_id)
    if charge.status == "requires_action":
        _decline(world, charge, ACTION_EXPIRED, now)


def _check(world: World, order: Order) -> None:
    if order.currency not in world.dialect.exponents:
        raise Refusal(422, "currency_not_supported", f"{order.currency} is not supported.")
    if not 0 < order.amount <= MAX_AMOUNT:
        raise Refusal(422, "amount_out_of_range", f"The amount must be 1 to {MAX_AMOUNT}.")
    formers = world.by_reference.get(order.reference, ()) if world.dialect.unique_references else ()
    for former in formers:
        if former.status not in ("declined", "canceled"):
            raise Refusal(
                409,
                "duplicate_reference",
                f"The reference {order.reference} belongs to {former.id}.",
                charge=former.to_json(),
            )


def _answer(world: World, charge: Charge, method: Method, base_url: str, now: datetime) -> None:
    magic = method.magic
    if magic.answer is Answer.DECLINES and (
        magic.declines is None or method.declined < magic.declines
    ):
        method.declined += 1
        _decline(world, charge, _reason(magic), now)
    elif magic.answer is Answer.PENDS:
        _begin_debit(world, charge, now)
        world.emit("charge.pending", charge.to_json(), now)
    elif magic.answer is Answer.ASKS_CUSTOMER and not world.dialect.asks_customers:
        _decline(world, charge, CUSTOMER_NEEDED, now)
    elif magic.answer is Answer.ASKS_CUSTOMER:
        charge.action_url = f"{base_url}/actions/{charge.id}"
        charge.action_expires_at = now + timedelta(seconds=world.settings.action_ttl_s)
        world.appoint(charge.action_expires_at, "expire_action", charge.id)
        _become(world, charge, "requires_action", now)
    else:
        _succeed(world, charge, now)


def _begin_debit(world: World, charge: Charge, now: datetime) -> None:
    settings = world.settings
    begin = max(now, charge.not_before or now)
    if settings.debit_submission_days is not None:
        world.appoint(world.later(begin, settings.debit_submission_days), "submit", charge.id)
    charge.expected_at = world.later(begin, settings.debit_days)
    world.appoint(charge.expected_at, "end_pending", charge.id)


def _succeed(world: World, charge: Charge, now: datetime) -> None:
    magic = _magic(world, charge)
    charge.finality = "final" if magic.kind != "bank_debit" else "provisional"
    if magic.most is not None and charge.amount > magic.most:
        charge.approved_amount = magic.most
    world.move_money("charge", charge, charge.taken, source=charge.id, now=now)
    settings = world.settings
    fee = charge.taken * settings.fee_basis_points // 10_000 + settings.fee_fixed_minor
    world.move_money("fee", charge, -fee, source=charge.id, now=now)
    _become(world, charge, "succeeded", now)


def _decline(world: World, charge: Charge, decline: Decline, now: datetime) -> None:
    charge.decline = decline
    _become(world, charge, "declined", now)


def _become(
    world: World, charge: Charge, status: str, now: datetime, event: str | None = None
) -> None:
    charge.status = status
    world.emit(event or f"charge.{status}", charge.to_json(), now)


def _magic(world: World, charge: Charge) -> Magic:
    return world.methods[charge.token].magic


def _reason(magic: Magic) -> Decline:
    if magic.decline is None:
        raise ValueError(f"the method {magic.key} can fail but does not say why")
    return magic.decline
