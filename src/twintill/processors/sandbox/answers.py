"""Reads the sandbox processor's JSON: a charge becomes an outcome, or it is unreadable. Pure."""

from __future__ import annotations

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    NeedsCustomer,
    NotFound,
)
from twintill.money import Money
from twintill.processors import (
    DisputePage,
    ListedRefund,
    MethodState,
    MethodStatus,
    RefundPage,
    SeenDispute,
    SeenRefund,
    SetupResult,
    SetupSession,
    SetupStatus,
    StoredMethod,
)
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    time_of,
    whole_number_of,
    words_of,
)
from twintill.processors.sandbox.currencies import MAX_AMOUNT, from_sandbox
from twintill.processors.sandbox.reports import read_page

MAX_WAIT_S = 366 * 24 * 3600
_KINDS = {
    "retry_later": DeclineKind.SOFT,
    "do_not_retry": DeclineKind.HARD,
    "new_method_needed": DeclineKind.UPDATE_METHOD,
    "customer_needed": DeclineKind.AUTH_REQUIRED,
    "agreement_gone": DeclineKind.REVOKED,
    "suspected_fraud": DeclineKind.FRAUD,
}


def read_charge(charge: Json) -> ChargeOutcome:
    """What the charge object says became of it."""
    charge_id, status = text_of(charge, "id"), text_of(charge, "status")
    if status == "succeeded":
        return _read_approved(charge_id, charge)
    if status == "pending":
        return Accepted(charge_id, time_of(charge, "expected_at"))
    if status == "requires_action":
        url = text_of(charge, "action_url")
        if not url.startswith(("https://", "http://")):
            raise Unreadable("action_url is not a web address")
        return NeedsCustomer(charge_id, url, time_of(charge, "action_expires_at"))
    if status in ("declined", "failed"):
        return _read_declined(charge_id, object_of(charge, "decline"))
    if status == "canceled":
        text = "Canceled before money moved."
        return Declined(DeclineKind.SOFT, "canceled", text, None, charge_id)
    raise Unreadable(f"unknown status {status[:40]!r}")


def read_charge_of(body: bytes, sent: bytes) -> ChargeOutcome:
    """The answer to a charge request; it must speak of what was asked for."""
    charge, order = read_json(body), read_json(sent)
    for name in ("reference", "currency", "amount"):
        if charge.get(name) != order[name] or type(charge[name]) is not type(order[name]):
            raise Unreadable(f"{name} is not what was sent")
    return read_charge(charge)


def read_charge_with_id(body: bytes, charge_id: str) -> ChargeOutcome:
    charge = read_json(body)
    if charge.get("id") != charge_id:
        raise Unreadable("another charge than was asked for")
    return read_charge(charge)


def choose_charge(body: bytes, reference: str) -> ChargeOutcome | NotFound:
    """Of all charges under a reference, the one that may have moved money; else the last one."""
    page = read_json(body)
    charges = list_of(page, "data")
    if page.get("has_more") is not False:
        raise Unreadable("more charges under one reference than a page holds")
    if not charges:
        return NotFound()
    if any(not isinstance(one, dict) or one.get("reference") != reference for one in charges):
        raise Unreadable("charges under another reference")
    outcomes = [read_charge(charge) for charge in charges]
    alive = [outcome for outcome in outcomes if not isinstance(outcome, Declined)]
    if len(alive) > 1:
        raise Unreadable("two charges under one reference")
    return alive[0] if alive else outcomes[-1]


def read_refund(refund: Json, charge_id: str) -> SeenRefund:
    """One refund of that charge, and what became of it."""
    if refund.get("charge") != charge_id:
        raise Unreadable("a refund of another charge")
    refund_id, status = text_of(refund, "id"), text_of(refund, "status")
    minor = whole_number_of(refund, "amount", MAX_AMOUNT)
    try:
        amount = from_sandbox(minor, text_of(refund, "currency"))
    except (KeyError, ValueError) as error:
        raise Unreadable(f"amount or currency: {error}") from None
    reference = optional_text_of(refund, "reference")
    return SeenRefund(refund_id, reference, amount, _refund_outcome(refund_id, status, amount))


def read_refund_of(body: bytes, charge_id: str, sent: bytes) -> ChargeOutcome:
    """The answer to a refund request; it must speak of what was asked for."""
    refund, order = read_json(body), read_json(sent)
    for name in ("reference", "amount"):
        if refund.get(name) != order[name] or type(refund[name]) is not type(order[name]):
            raise Unreadable(f"{name} is not what was sent")
    return read_refund(refund, charge_id).outcome


def read_refunds(body: bytes, charge_id: str) -> tuple[SeenRefund, ...]:
    page = read_json(body)
    if page.get("has_more") is not False:
        raise Unreadable("more refunds of one charge than a page holds")
    refunds = list_of(page, "data")
    if not all(isinstance(one, dict) for one in refunds):
        raise Unreadable("a refund is not an object")
    return tuple(read_refund(one, charge_id) for one in refunds)


def read_recent_refunds(body: bytes) -> RefundPage:
    """Refunds of any charges."""
    refunds, following = read_page(body)
    listed = [(text_of(refund, "charge"), refund) for refund in refunds]
    seen = tuple(ListedRefund(charge, read_refund(refund, charge)) for charge, refund in listed)
    return RefundPage(seen, following)


def read_dispute(dispute: Json) -> SeenDispute:
    """A customer's claim, how far it has come, and where its money is."""
    stage = _STAGES.get(text_of(dispute, "status"))
    withheld = dispute.get("withheld")
    if stage is None or not isinstance(withheld, bool):
        raise Unreadable("a dispute's status or withheld is not as documented")
    currency = text_of(dispute, "currency")
    minor = whole_number_of(dispute, "amount", MAX_AMOUNT)
    fee = None if dispute.get("fee") in (None, 0) else whole_number_of(dispute, "fee", MAX_AMOUNT)
    try:
        amount = from_sandbox(minor, currency)
        cost = None if fee is None else from_sandbox(fee, currency)
    except (KeyError, ValueError) as error:
        raise Unreadable(f"amount or currency: {error}") from None
    return SeenDispute(
        dispute_id=text_of(dispute, "id"),
        processor_payment_id=text_of(dispute, "charge"),
        amount=amount,
        stage=stage,
        withheld=withheld,
        fee=cost,
        reason=words_of(dispute, "reason") or None,
    )


def read_disputes(body: bytes) -> DisputePage:
    disputes, following = read_page(body)
    return DisputePage(tuple(read_dispute(one) for one in disputes), following)


_STAGES = {
    "open": DisputeStage.OPENED,
    "under_review": DisputeStage.UNDER_REVIEW,
    "won": DisputeStage.WON,
    "lost": DisputeStage.LOST,
    "accepted": DisputeStage.ACCEPTED,
}


def _refund_outcome(refund_id: str, status: str, amount: Money) -> ChargeOutcome:
    if status == "succeeded":
        return Approved(refund_id, amount)
    if status == "pending":
        return Accepted(refund_id)
    if status == "failed":
        text = "The refund came back."
        return Declined(DeclineKind.HARD, "refund_failed", text, None, refund_id)
    raise Unreadable(f"unknown status {status[:40]!r}")


def read_setup_session(session: Json) -> SetupSession:
    return SetupSession(
        text_of(session, "id"), text_of(session, "url"), time_of(session, "expires_at")
    )


def read_setup_result(session: Json) -> SetupResult:
    try:
        status = SetupStatus(text_of(session, "status"))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    if status is not SetupStatus.COMPLETE:
        return SetupResult(status)
    method = object_of(session, "method")
    display = object_of(method, "display")
    stored = StoredMethod(
        text_of(method, "customer"), text_of(method, "token"), text_of(method, "kind")
    )
    return SetupResult(status, stored, {name: words_of(display, name) for name in display})


def read_method(body: bytes, token: str) -> MethodState:
    """What the processor says of this method, and of no other."""
    method = read_json(body)
    if method.get("token") != token:
        raise Unreadable("another method than was asked for")
    try:
        status = MethodStatus(text_of(method, "status"))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    display = object_of(method, "display")
    return MethodState(status, {name: words_of(display, name) for name in display})


def read_error_code(body: bytes) -> str:
    """The code of an error answer; empty where there is none."""
    try:
        return text_of(object_of(read_json(body), "error"), "code")
    except Unreadable:
        return ""


def _read_approved(charge_id: str, charge: Json) -> Approved:
    asked = whole_number_of(charge, "amount", MAX_AMOUNT)
    approved = asked
    if charge.get("amount_approved") is not None:
        approved = whole_number_of(charge, "amount_approved", asked)
    currency = text_of(charge, "currency")
    try:
        finality = Finality(text_of(charge, "finality"))
        amount = from_sandbox(approved, currency)
        return Approved(charge_id, amount, finality, partial=approved < asked)
    except (KeyError, ValueError) as error:
        raise Unreadable(f"amount, currency or finality: {error}") from None


def _read_declined(charge_id: str, decline: Json) -> Declined:
    return Declined(
        # A category that is new to us: the bounded retries of dunning may go on.
        kind=_KINDS.get(optional_text_of(decline, "category") or "", DeclineKind.SOFT),
        code=text_of(decline, "code"),
        text=words_of(decline, "text"),
        retry_after_s=_read_wait(decline),
        processor_payment_id=charge_id,
    )


def _read_wait(decline: Json) -> int | None:
    """Advice only: one that makes no sense does not make the decline doubtful."""
    wait_s = decline.get("retry_after_s")
    return wait_s if type(wait_s) is int and 0 <= wait_s <= MAX_WAIT_S else None
