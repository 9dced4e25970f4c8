"""What GoCardless tells of what happened in the engine: events, with their details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twintill.sandbox.gocardless.account import Records
from twintill.sandbox.gocardless.words import MANDATE_GONE, reason_of
from twintill.sandbox.processor.magic import Decline
from twintill.sandbox.processor.world import World

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One event to be; its id and time are the engine's to give."""

    resource_type: str
    action: str
    links: Json
    details: Json
    resource_metadata: Json

    @property
    def type(self) -> str:
        return f"{self.resource_type}.{self.action}"

    def content(self) -> Json:
        return {
            "resource_type": self.resource_type,
            "action": self.action,
            "links": self.links,
            "details": self.details,
            "metadata": {},  # what was sent with an action's request, had anything been sent
            "resource_metadata": self.resource_metadata,
        }


def tell(world: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    kind = event_type.partition(".")[0]
    teller = _TELLERS.get(kind)
    return [] if teller is None else teller(world, records, event_type, its)


def _details(origin: str, cause: str, description: str, **more: Any) -> Json:
    return {"origin": origin, "cause": cause, "description": description, **more}


# By the engine's word: the action, who is behind it, the cause, and the sentence.
_PAYMENTS: Mapping[str, tuple[str, str, str, str]] = {
    "charge.pending": ("created", "api", "payment_created", "Payment created via the API."),
    "charge.submitted": (
        "submitted",
        "gocardless",
        "payment_submitted",
        "Payment submitted to the banks. As a result, it can no longer be cancelled.",
    ),
    "charge.succeeded": (
        "confirmed",
        "gocardless",
        "payment_confirmed",
        "Enough time has passed since the payment was submitted, so it is now confirmed.",
    ),
    "charge.paid_out": (
        "paid_out",
        "gocardless",
        "payment_paid_out",
        "The payment has been paid out by GoCardless.",
    ),
    "charge.failure_settled": (
        "late_failure_settled",
        "gocardless",
        "late_failure_settled",
        "This late failed payment has been settled against a payout.",
    ),
    "charge.tried_again": (
        "resubmission_requested",
        "api",
        "payment_retried",
        "An attempt to retry this payment was requested.",
    ),
}


def _tell_payment(world: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    charge = world.charge(its["id"])
    scheme = records.mandates[charge.token].scheme
    if event_type in ("charge.declined", "charge.failed_late"):
        assert charge.decline is not None
        details = _bank(charge.decline, scheme, will_attempt_retry=False)
        return [_payment(world, charge.id, "failed", details)]
    if event_type == "charge.canceled":
        return [_payment(world, charge.id, "cancelled", _why_cancelled(world, records, its))]
    if event_type not in _PAYMENTS:
        return []
    action, *words = _PAYMENTS[event_type]
    more = {"payout": its["payout"]} if event_type == "charge.paid_out" else {}
    return [_payment(world, charge.id, action, _details(*words), **more)]


def _why_cancelled(world: World, records: Records, its: Json) -> Json:
    if world.methods[its["token"]].status == "active":
        return _details("api", "payment_cancelled", "The payment was cancelled via the API.")
    mandate = records.mandates[its["token"]]
    text = "The mandate of this payment was cancelled."
    if mandate.ended_by == "merchant":
        return _details("api", "mandate_cancelled", text)
    cause, code = reason_of("mandate_cancelled", mandate.scheme)
    return _details("bank", cause, text, scheme=mandate.scheme, reason_code=code)


def _tell_dispute(world: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    """A chargeback is a state of the payment; what is only announced, or lost, is not told."""
    charge = world.charge(its["charge"])
    if event_type == "dispute.withheld" or (event_type == "dispute.opened" and its["withheld"]):
        scheme = records.mandates[charge.token].scheme
        disputed = Decline(
            "refund_requested" if its["reason"] == "refund_requested" else "authorisation_disputed",
            "The payment was charged back by the customer's bank.",
            "agreement_gone",
        )
        return [_payment(world, charge.id, "charged_back", _bank(disputed, scheme))]
    if event_type == "dispute.won":
        text = "The chargeback for this payment was reversed."
        details = _details("bank", "payment_confirmed", text)
        return [_payment(world, charge.id, "chargeback_cancelled", details)]
    if event_type == "dispute.settled":
        text = "This charged back payment has been settled against a payout."
        details = _details("gocardless", "chargeback_settled", text)
        return [_payment(world, charge.id, "chargeback_settled", details)]
    return []


_MANDATES: Mapping[str, tuple[str, str, str, str]] = {
    "method.created": ("created", "api", "mandate_created", "Mandate created via the API."),
    "method.submitted": (
        "submitted",
        "gocardless",
        "mandate_submitted",
        "The mandate has been submitted to the banks.",
    ),
    "method.activated": (
        "active",
        "gocardless",
        "mandate_activated",
        "The banks have not refused the mandate in time, so it is now active.",
    ),
    "method.expired": (
        "expired",
        "gocardless",
        "mandate_expired",
        "The mandate has expired because no payments were collected against it.",
    ),
    "method.blocked": (
        "blocked",
        "gocardless",
        "mandate_blocked",
        "The mandate has been blocked.",
    ),
    "method.restored": (
        "reinstated",
        "bank",
        "mandate_reinstated",
        "The mandate is active again.",
    ),
}


def _tell_mandate(_: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    mandate = records.mandates[its["token"]]
    if not mandate.is_shown:
        return []
    if event_type in _MANDATES:
        action, *words = _MANDATES[event_type]
        details = _details(*words)
    elif event_type == "method.failed":
        wrong = Decline("invalid_bank_details", "The specified bank account does not exist.", "")
        action, details = "failed", _bank(wrong, mandate.scheme)
    elif its.get("revoked_by") == "merchant":
        text = "The mandate was cancelled at your request."
        action, details = "cancelled", _details("api", "mandate_cancelled", text)
    else:
        action, details = "cancelled", _bank(MANDATE_GONE, mandate.scheme)
    return [Told("mandates", action, {"mandate": mandate.id}, details, mandate.metadata)]


_REFUNDS: Mapping[str, tuple[str, str, str, str]] = {
    "refund.pending": (
        "created",
        "api",
        "payment_refunded",
        "The refund has been created, and will be submitted in the next batch.",
    ),
    "refund.succeeded": (
        "paid",
        "gocardless",
        "refund_paid",
        "The refund has been paid to your customer.",
    ),
    "refund.failed": (
        "failed",
        "gocardless",
        "refund_failed",
        "The refund did not reach your customer, the funds will be returned to you.",
    ),
    "refund.settled": (
        "refund_settled",
        "gocardless",
        "refund_settled",
        "The refund has been deducted from a payout.",
    ),
    "refund.returned": (
        "funds_returned",
        "gocardless",
        "refund_funds_returned",
        "The funds for the refund have been returned to you.",
    ),
}


def _tell_refund(world: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    if event_type == "refund.returned":
        records.returned_refunds.add(its["id"])
    if event_type not in _REFUNDS:
        return []
    action, *words = _REFUNDS[event_type]
    metadata = world.refund(its["id"]).details.get("metadata", {})
    return [Told("refunds", action, {"refund": its["id"]}, _details(*words), metadata)]


def _tell_payout(_: World, __: Records, ___: str, its: Json) -> Sequence[Told]:
    text = "GoCardless has transferred the payout to the creditor's bank account."
    details = _details("gocardless", "payout_paid", text)
    return [Told("payouts", "paid", {"payout": its["id"]}, details, {})]


_BILLING_REQUESTS: Mapping[str, tuple[str, str, str]] = {
    "created": ("api", "billing_request_created", "This billing request has been created."),
    "flow_created": (
        "api",
        "billing_request_flow_created",
        "A billing request flow has been created against this billing request.",
    ),
    "payer_details_confirmed": (
        "payer",
        "billing_request_payer_details_confirmed",
        "Payer has confirmed all their details for this billing request.",
    ),
    "fulfilled": (
        "api",
        "billing_request_fulfilled",
        "This billing request has been fulfilled, and the resources have been created.",
    ),
    "cancelled": (
        "api",
        "billing_request_cancelled",
        "This billing request has been cancelled, none of the resources have been created.",
    ),
}


def _tell_billing_request(_: World, records: Records, event_type: str, its: Json) -> Sequence[Told]:
    request = records.billing_requests[its["id"]]
    action = event_type.partition(".")[2]
    links = {
        "billing_request": request.id,
        "customer": request.customer,
        "mandate_request": request.mandate_request_id,
    }
    if request.flow is not None and action != "created":
        links["billing_request_flow"] = request.flow.id
    if request.mandate is not None:
        links["customer_bank_account"] = records.mandates[request.mandate].bank_account
        if action == "fulfilled":
            links["mandate_request_mandate"] = request.mandate
    details = _details(*_BILLING_REQUESTS[action])
    return [Told("billing_requests", action, links, details, request.metadata)]


def _payment(world: World, charge_id: str, action: str, details: Json, **links: str) -> Told:
    metadata = world.charge(charge_id).metadata
    return Told("payments", action, {"payment": charge_id, **links}, details, metadata)


def _bank(decline: Decline, scheme: str, **more: Any) -> Json:
    cause, code = reason_of(decline.code, scheme)
    return _details("bank", cause, decline.text, scheme=scheme, reason_code=code, **more)


_TELLERS: Mapping[str, Callable[[World, Records, str, Json], Sequence[Told]]] = {
    "charge": _tell_payment,
    "dispute": _tell_dispute,
    "method": _tell_mandate,
    "refund": _tell_refund,
    "payout": _tell_payout,
    "billing_request": _tell_billing_request,
}
