"""After a world has come to rest: whoever moved is wholly on one side, and no token is left that
nobody needs; nobody was cancelled for what a processor itself never said."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from tests.simulation.subscriptions import BY_US, Subscription
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.policy import FirstPaymentFailed
from twintill.domain.switching import To

if TYPE_CHECKING:
    from tests.simulation.world import World

# What a person is called for, and must decide.
_FOR_A_PERSON = ("The subscription is cancelled, but: ", "The processor refuses our credentials")
_BUSY = (
    "SELECT 1 FROM payments WHERE customer_id = $1 AND (ended_at IS NULL OR parked_at IS NOT NULL) "
    "UNION ALL SELECT 1 FROM operations WHERE customer_id = $1 AND ended_at IS NULL"
)
_METHODS = "SELECT *, extract(epoch FROM created_at)::float8 AS given_s FROM payment_methods"
_HELD_BACK = """
    SELECT p.invoice_id, p.state FROM payments p
    WHERE p.reason = 'handed_to_stripe' AND p.parked_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM operations o
        WHERE o.customer_id = p.customer_id AND o.kind = 'switch' AND o.ended_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.kind = 'switch'
        AND o.data->'invoices'->p.invoice_id->>'did' = 'not_ours')"""
_SENT_BEFORE = """
    SELECT p.invoice_id, a.processor_payment_id FROM attempts a
    JOIN payments p USING (payment_id) JOIN invoices i USING (invoice_id)
    JOIN receipts r USING (attempt_id)
    WHERE i.subscription_id = $1 AND a.first_sent_at < $2
    AND r.reported_minor > 0 AND NOT r.failed"""
_NEVER_PAID = """
    SELECT p.payment_id FROM payments p JOIN invoices i USING (invoice_id)
    WHERE i.subscription_id = $1 AND p.state = 'exhausted' AND p.parked_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM payments o JOIN invoices oi USING (invoice_id)
        JOIN receipts r ON r.payment_id = o.payment_id
        WHERE oi.subscription_id = $1)"""


def check(world: World) -> None:
    """Adds to the trace every rule that broke."""
    for row in world.database.fetch("SELECT * FROM operations WHERE parked_at IS NOT NULL"):
        if not row["parked_why"].startswith(_FOR_A_PERSON):
            world.trace.blame(f"operation {row['kind']} is parked: {row['parked_why']}")
    if world.twin is not None:
        return  # what the other copy does there is nobody's fault
    check_handed(world)
    _check_hearsay(world)
    _check_taxes(world)
    for its in list(world.stripe.register.subscriptions.values()):
        _check_cancelled(world, its)
        _check_first_payment(world, its)
        _check_switched(world, its)
        if not world.database.fetch(_BUSY, its.customer_id):
            _check_tokens(world, its)


def check_handed(world: World) -> None:
    """What was handed over came back, or was collected: no switch ends, and leaves it lying."""
    for row in world.database.fetch(_HELD_BACK):
        invoice = world.stripe.invoices[row["invoice_id"]]
        if invoice.status is InvoiceStatus.OPEN and invoice.collection_method == BY_US:
            world.trace.blame(f"{invoice.id}: {row['state']} for Stripe, and no switch is running")


def _check_switched(world: World, its: Subscription) -> None:
    """The last switch that was made here is so in Stripe."""
    sql = "SELECT * FROM operations WHERE customer_id = $1 AND kind = 'switch' ORDER BY ended_at"
    made = [row for row in world.database.fetch(sql, its.customer_id) if row["step"] == "done"]
    if not made or its.ended or its.customer_id in world.by_hand:
        return
    to = To(json.loads(made[-1]["data"])["asked"]["to"])
    if its.collection_method != to.collection_method:
        world.trace.blame(f"{its.id}: switched to {to}, and it is {its.collection_method}")
    method_id = json.loads(made[-1]["data"]).get("payment_method_id")  # None: he was there already
    if to is To.PROCESSOR and method_id is not None:
        _check_method(world, its, method_id)


def _check_method(world: World, its: Subscription, method_id: str) -> None:
    """What he switched to can still be charged, unless somebody took it away."""
    row = world.database.fetch(f"{_METHODS} WHERE payment_method_id = $1", method_id)[0]
    taken = its.customer_id in world.left or its.customer_id in world.withdrawn.values()
    if row["status"] != "active" and not taken:
        world.trace.blame(f"{its.id}: switched to {method_id}, which is {row['status']}")


def _check_taxes(world: World) -> None:
    """Where the customer is known, nothing waits for that any more."""
    for invoice in world.stripe.invoices.values():
        customer = world.stripe.register.customer(invoice.customer_id)
        if world.stripe.register.of(invoice.customer_id).ended:
            continue
        stuck = invoice.status is InvoiceStatus.DRAFT and invoice.finalization_error
        if stuck and customer.can_be_taxed:
            world.trace.blame(f"{invoice.id}: a draft, and Stripe knows where the customer is")


def _check_hearsay(world: World) -> None:
    """Only the processor's own answer says that a method is gone."""
    active = {
        (bank.kind.name, method.customer)
        for bank in world.banks.values()
        for method in bank.book.methods.values()
        if method.status == "active" and method.token not in world.withdrawn
    }
    found = world.database.fetch(f"{_METHODS} WHERE status = 'revoked'")
    gone = "SELECT data FROM operations WHERE kind = 'method_revoked' AND step = 'canceled'"
    ended = world.database.fetch(gone)
    canceled = {json.loads(row["data"]).get("payment_method_id") for row in ended}
    for row in world.database.fetch(_METHODS):
        lives = (row["processor"], row["processor_customer_id"]) in active
        if lives and row["payment_method_id"] in canceled:
            world.trace.blame(f"{row['customer_id']} was cancelled, and his method lives")
    asking = "SELECT data FROM operations WHERE kind = 'method_revoked' AND parked_at IS NOT NULL"
    left = {json.loads(row["data"])["payment_method_id"] for row in world.database.fetch(asking)}
    for row in found:
        if row["payment_method_id"] in left:
            continue  # its processor refused our key: a person is called
        if (row["processor"], row["processor_customer_id"]) in active:
            world.trace.blame(f"{row['payment_method_id']} is revoked here, and lives there")


def _check_cancelled(world: World, its: Subscription) -> None:
    """What was done here is so in Stripe; what is to end later may be taken back."""
    sql = "SELECT * FROM operations WHERE customer_id = $1 AND kind = $2"
    for row in world.database.fetch(sql, its.customer_id, "cancel_subscription"):
        asked = json.loads(row["data"])["asked"]
        if asked["at"] == "now" and row["step"] == "done" and not its.ended:
            world.trace.blame(f"{its.id}: cancelled here, and it goes on in Stripe")
        if asked["refund_last_payment"] and row["step"] == "done":
            _check_last_payment(world, its, row)
    for kind in ("method_revoked", "first_payment"):
        for row in world.database.fetch(sql, its.customer_id, kind):
            later = kind == "method_revoked" and its.cancels_at_period_end
            if row["step"] == "canceled" and not (its.ended or later or its.taken_back):
                world.trace.blame(f"{its.id}: {kind} ended it, and it goes on in Stripe")


def _check_last_payment(world: World, its: Subscription, row: Any) -> None:
    """What was on its way when it was asked for is given back, too."""
    if json.loads(row["data"]).get("refund_id") is not None:
        return
    late = {charge_id for bank in world.banks.values() for charge_id in bank.late}
    for sent in world.database.fetch(_SENT_BEFORE, its.id, row["created_at"]):
        if sent["processor_payment_id"] not in late:
            world.trace.blame(f"{sent['invoice_id']} was on its way, and was not given back")


def _check_first_payment(world: World, its: Subscription) -> None:
    """By setting, nobody goes on who never paid."""
    paid = [i for i in world.stripe.invoices.values() if i.subscription_id == its.id]
    if any(i.paid_minor for i in paid) or its.ended:
        return
    if world.policy.first_payment_failed is FirstPaymentFailed.CANCEL:
        for row in world.database.fetch(_NEVER_PAID, its.id):
            world.trace.blame(f"{its.id}: {row['payment_id']} was given up, and it goes on")


def _check_tokens(world: World, its: Subscription) -> None:
    """No subscription needs them, and nothing is owed: they are gone, here and there."""
    told = [e["id"] for e in world.stripe.events if e["data"]["object"]["id"] == its.id]
    if its.needs_us_not_s == math.inf or world.stripe.undelivered & set(told):
        return
    his = world.database.fetch(f"{_METHODS} WHERE customer_id = $1", its.customer_id)
    later = [row for row in his if row["given_s"] >= its.needs_us_not_s]
    for row in his:
        if row["status"] == "removed":
            _check_revoked_there(world, row)
        elif row not in later:
            world.trace.blame(f"{row['payment_method_id']} is {row['status']}, and nobody needs it")
    if world.stripe.register.customer(its.customer_id).method_ids and not later:
        world.trace.blame(f"{its.customer_id}: a token is left in the metadata")


def _check_revoked_there(world: World, row: Any) -> None:
    book = world.banks[row["processor"]].book
    its = [m for m in book.methods.values() if m.customer == row["processor_customer_id"]]
    if any(method.status == "active" for method in its):
        world.trace.blame(f"{row['payment_method_id']} is removed here, and lives there")
