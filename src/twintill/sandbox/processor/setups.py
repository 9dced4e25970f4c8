"""Collecting a method without a purchase, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.sandbox.processor import charging
from twintill.sandbox.processor.objects import Method, SetupSession
from twintill.sandbox.processor.refusals import Refusal, not_found
from twintill.sandbox.processor.world import World


@dataclass(frozen=True, slots=True)
class SetupOrder:
    """What a set-up request asks for."""

    customer_reference: str
    return_url: str
    cancel_url: str
    currency: str
    description: str


def start_setup(world: World, order: SetupOrder, base_url: str, now: datetime) -> SetupSession:
    if order.currency not in world.dialect.exponents:
        raise Refusal(422, "currency_not_supported", f"{order.currency} is not supported.")
    session_id = world.new_id("ses")
    session = SetupSession(
        id=session_id,
        created=now,
        expires_at=now + timedelta(seconds=world.settings.setup_ttl_s),
        url=f"{base_url}/setup/{session_id}",
        return_url=order.return_url,
        cancel_url=order.cancel_url,
        customer=_customer(world, order.customer_reference),
        customer_reference=order.customer_reference,
        currency=order.currency,
        description=order.description,
    )
    world.sessions[session.id] = session
    world.appoint(session.expires_at, "expire_setup", session.id)
    return session


def complete_setup(world: World, session_id: str, magic_key: str, now: datetime) -> SetupSession:
    """The customer chose; a second time answers what the first one made."""
    session = world.session(session_id)
    if session.status == "complete":
        return session
    if session.status != "open":
        raise Refusal(409, "session_closed", f"The set-up is {session.status}.")
    session.method = create_method(world, session.customer, magic_key, now)
    session.status = "complete"
    world.emit("setup_session.complete", session.to_json(), now)
    return session


def create_method(world: World, customer: str, magic_key: str, now: datetime) -> Method:
    magic = world.dialect.methods.get(magic_key)
    if magic is None:
        raise Refusal(422, "unknown_choice", f"Choose one of {', '.join(world.dialect.methods)}.")
    method = Method(token=world.new_id("tok"), customer=customer, magic=magic, created=now)
    world.methods[method.token] = method
    settings = world.settings
    if magic.kind == "bank_debit" and settings.mandate_submission_days is not None:
        method.stage = "pending_submission"
        due = world.later(now, settings.mandate_submission_days)
        world.appoint(due, "submit_method", method.token)
        world.appoint(world.later(now, settings.mandate_days), "activate_method", method.token)
    world.emit("method.created", method.to_json(), now)
    return method


def submit_method(world: World, token: str, now: datetime) -> None:
    """A mandate reaches the bank, which may refuse it."""
    method = world.method(token)
    if method.status != "active" or method.stage != "pending_submission":
        return
    method.stage = "submitted"
    world.emit("method.submitted", method.to_json(), now)
    if not method.magic.valid:
        withdraw_method(world, token, "failed", now)


def activate_method(world: World, token: str, now: datetime) -> None:
    submit_method(world, token, now)
    method = world.method(token)
    if method.status == "active" and method.stage == "submitted":
        method.stage = "active"
        world.emit("method.activated", method.to_json(), now)


def cancel_setup(world: World, session_id: str, now: datetime) -> SetupSession:
    session = world.session(session_id)
    if session.status == "complete":
        raise Refusal(409, "session_closed", "The set-up is complete.")
    _close(world, session, "canceled", now)
    return session


def expire_setup(world: World, session_id: str, now: datetime) -> None:
    session = world.session(session_id)
    if session.expires_at <= now:  # else it was given more time
        _close(world, session, "expired", now)


def revoke_method(world: World, token: str, by: str, now: datetime) -> Method:
    """By the merchant, or by the customer on his side; a second time it is no longer there."""
    method = world.method(token)
    if method.status == "revoked":
        raise not_found("method", token)
    method.status = "revoked"
    world.emit("method.revoked", {**method.to_json(), "revoked_by": by}, now)
    _cancel_debits(world, token, now)
    return method


def withdraw_method(world: World, token: str, status: str, now: datetime) -> Method:
    """By its bank: "expired", "blocked", "failed"; "active" takes it back. Revoked is for ever."""
    method = world.method(token)
    if method.status == "revoked":
        raise not_found("method", token)
    if method.status != status:
        method.status = status
        event = "restored" if status == "active" else status
        world.emit(f"method.{event}", method.to_json(), now)
        if status != "active":
            _cancel_debits(world, token, now)
    return method


def _cancel_debits(world: World, token: str, now: datetime) -> None:
    """Where debits wait before they go to the bank, those of a mandate that ended never do."""
    if world.settings.debit_submission_days is None:
        return
    for charge in world.charges.values():
        if charge.token == token and charge.status == "pending" and not charge.submitted:
            charging.cancel_charge(world, charge.id, now)


def _close(world: World, session: SetupSession, status: str, now: datetime) -> None:
    if session.status == "open":
        session.status = status
        world.emit(f"setup_session.{status}", session.to_json(), now)


def _customer(world: World, customer_reference: str) -> str:
    """The same customer for the same reference, for ever."""
    if customer_reference not in world.customers:
        world.customers[customer_reference] = world.new_id("pcus")
    return world.customers[customer_reference]
