"""Scenario simulators: what the sandbox does at once that takes days elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.mistakes import link_not_there, not_there, wrong_state
from twintill.sandbox.gocardless.words import NO_FUNDS
from twintill.sandbox.processor import charging, giving_back, settlement, setups
from twintill.sandbox.processor.refusals import Refusal

Json = dict[str, Any]


def run(asked: Asked, simulator: str) -> tuple[int, Json]:
    """The body names the resource: {"data": {"links": {"resource": "PM..."}}}."""
    if simulator not in _ALL:
        raise not_there("Scenario simulator")
    resource, act = _ALL[simulator]
    its_id = asked.body("data").inner("links").required("resource")
    known: Mapping[str, Mapping[str, Any]] = {
        "payment": asked.world.charges,
        "mandate": asked.records.mandates,
        "refund": asked.world.refunds,
    }
    if its_id not in known[resource]:
        raise link_not_there(resource.capitalize())
    try:
        act(asked, its_id)
    except Refusal as refusal:
        raise wrong_state("resource_not_eligible", str(refusal)) from None
    return 200, {"scenario_simulators": {"id": simulator}}


def _submitted(asked: Asked, payment_id: str) -> None:
    _require(asked, payment_id, "pending_submission")
    charging.submit(asked.world, payment_id, asked.now)


def _confirmed(asked: Asked, payment_id: str) -> None:
    _require(asked, payment_id, "pending_submission")
    charging.confirm(asked.world, payment_id, asked.now)


def _failed(asked: Asked, payment_id: str) -> None:
    _require(asked, payment_id, "pending_submission")
    charging.fail(asked.world, payment_id, NO_FUNDS, asked.now)


def _paid_out(asked: Asked, payment_id: str) -> None:
    _confirmed(asked, payment_id)
    charging.make_final(asked.world, payment_id, asked.now)
    _sweep(asked)


def _charged_back(asked: Asked, payment_id: str) -> None:
    _paid_out(asked, payment_id)
    giving_back.open_dispute(asked.world, payment_id, None, "refund_requested", asked.now)


def _late_failure(asked: Asked, payment_id: str) -> None:
    if shapes.payment_status(asked.payment(payment_id)) != "paid_out":
        _confirmed(asked, payment_id)
    charging.fail_late(asked.world, payment_id, asked.now)


def _activated(asked: Asked, mandate_id: str) -> None:
    setups.activate_method(asked.world, mandate_id, asked.now)


def _mandate_failed(asked: Asked, mandate_id: str) -> None:
    setups.withdraw_method(asked.world, mandate_id, "failed", asked.now)


def _mandate_expired(asked: Asked, mandate_id: str) -> None:
    setups.withdraw_method(asked.world, mandate_id, "expired", asked.now)


def _refund_paid(asked: Asked, refund_id: str) -> None:
    giving_back.finish_refund(asked.world, refund_id, asked.now, failed=False)


def _refund_bounced(asked: Asked, refund_id: str) -> None:
    giving_back.finish_refund(asked.world, refund_id, asked.now, failed=True)


def _sweep(asked: Asked) -> None:
    settlement.pay_out(asked.world, "", asked.now)


def _and_settled(act: Callable[[Asked, str], None]) -> Callable[[Asked, str], None]:
    def both(asked: Asked, its_id: str) -> None:
        act(asked, its_id)
        _sweep(asked)

    return both


def _require(asked: Asked, payment_id: str, status: str) -> None:
    found = shapes.payment_status(asked.payment(payment_id))
    if found != status:
        raise Refusal(409, "not_eligible", f"The payment must be {status}; it is {found}")


_ALL: Mapping[str, tuple[str, Callable[[Asked, str], None]]] = {
    "payment_submitted": ("payment", _submitted),
    "payment_confirmed": ("payment", _confirmed),
    "payment_paid_out": ("payment", _paid_out),
    "payment_failed": ("payment", _failed),
    "payment_charged_back": ("payment", _charged_back),
    "payment_chargeback_settled": ("payment", _and_settled(_charged_back)),
    "payment_late_failure": ("payment", _late_failure),
    "payment_late_failure_settled": ("payment", _and_settled(_late_failure)),
    "mandate_activated": ("mandate", _activated),
    "mandate_failed": ("mandate", _mandate_failed),
    "mandate_expired": ("mandate", _mandate_expired),
    "refund_paid": ("refund", _refund_paid),
    "refund_settled": ("refund", _and_settled(_refund_paid)),
    "refund_bounced": ("refund", _refund_bounced),
    "refund_returned": ("refund", _and_settled(_refund_bounced)),
}
