"""Draft invoices: what stands on them, what they come to, and when they finalize by themselves."""

from __future__ import annotations

from collections.abc import Callable

from twintill.sandbox.stripe import discounts, subscription_state
from twintill.sandbox.stripe.events import emit, listens
from twintill.sandbox.stripe.invoice_shape import Terms, blank_invoice
from twintill.sandbox.stripe.lines import item_line
from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.tax import Rate, locate, rate_for, tax_on, tax_within
from twintill.sandbox.stripe.world import Json, Moment, World, list_object, snapshot

EMBEDDED_LINES = 10
MAX_ITEMS = 250


def build_draft(
    world: World,
    customer: Json,
    terms: Terms,
    moment: Moment,
    make_lines: Callable[[str], list[Json]],
) -> Json:
    """A draft with its lines, kept but not yet announced (see publish_draft)."""
    invoice = world.add(blank_invoice(world, world.ids.new("in"), customer, terms, moment.at))
    world.invoices_of[customer["id"]].append(invoice["id"])
    if terms.subscription:
        world.invoices_of[terms.subscription["id"]].append(invoice["id"])
        held = discounts.holding(world, terms.subscription["discounts"], moment.at)
        invoice["discounts"] = held
    set_lines(world, invoice, make_lines(invoice["id"]), customer)
    if terms.finalizes_at is not None:
        world.fixed_finalization.add(invoice["id"])
    return invoice


def publish_draft(world: World, invoice: Json, moment: Moment) -> None:
    """Announces the draft; from here on it finalizes by itself when its time has come."""
    if not any(listens(e, "invoice.created") for e in world.all("webhook_endpoint").values()):
        invoice["webhooks_delivered_at"] = moment.at
    emit(world, "invoice.created", invoice, moment)
    _use_discounts(world, invoice, moment)
    schedule_finalization(world, invoice)


def _use_discounts(world: World, invoice: Json, moment: Moment) -> None:
    """A discount for one invoice is the subscription's no longer."""
    used = discounts.used_up(world, invoice)
    subscription = subscription_state.subscription_of(world, invoice)
    if subscription and used & set(subscription["discounts"]):
        left = [key for key in subscription["discounts"] if key not in used]
        subscription_state.change(world, subscription, moment, discounts=left)


def schedule_finalization(world: World, invoice: Json) -> None:
    """Puts the finalization on the agenda: after the hour, or the 72 hours while webhooks fail."""
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if invoice["webhooks_delivered_at"] is None and invoice["id"] not in world.fixed_finalization:
        last = invoice["created"] + world.settings.finalize_anyway_after_s
        world.schedule(last, "finalize", invoice)
    else:
        world.schedule(invoice["automatically_finalizes_at"], "finalize", invoice)


def webhooks_delivered(world: World, invoice: Json, at: int) -> None:
    """Every endpoint has answered invoice.created with a 2xx: the hour begins."""
    invoice["webhooks_delivered_at"] = at
    if invoice["status"] == "draft" and invoice["id"] not in world.fixed_finalization:
        if invoice["auto_advance"]:
            invoice["automatically_finalizes_at"] = at + world.settings.draft_period_s
        schedule_finalization(world, invoice)


def may_finalize(world: World, invoice: Json, at: int) -> bool:
    """Whether a draft whose finalization came up on the agenda is really due."""
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return False
    if invoice["id"] in world.fixed_finalization or invoice["webhooks_delivered_at"] is not None:
        return bool(invoice["automatically_finalizes_at"] <= at)
    waited = at - invoice["created"] >= world.settings.finalize_anyway_after_s
    return waited and world.outbox.all_attempted(world.created_events[invoice["id"]])


def require_room(world: World, invoice: Json, more: int) -> None:
    """Refuses more items than an invoice may have."""
    if len(world.lines[invoice["id"]]) + more > MAX_ITEMS:
        raise invalid(f"An invoice can have at most {MAX_ITEMS} items.", param="invoice")


def add_items(world: World, invoice: Json, items: list[Json]) -> None:
    """Moves pending invoice items onto a draft."""
    for item in items:
        item["invoice"] = invoice["id"]
        world.lines[invoice["id"]].append(item_line(world, invoice["id"], item))
    if items:
        set_lines(world, invoice, world.lines[invoice["id"]])


def add_pending(world: World, invoice: Json, sub_id: str | None) -> None:
    """As many as there is room for, the oldest first; the rest waits for the next invoice."""
    customer = world.get("customer", invoice["customer"])
    room = max(0, MAX_ITEMS - len(world.lines[invoice["id"]]))
    waiting = pending_items(world, customer, invoice["currency"], sub_id)
    add_items(world, invoice, waiting[:room])


def pending_items(world: World, customer: Json, currency: str, sub_id: str | None) -> list[Json]:
    """The customer's items that wait for an invoice: those of this subscription, or of none.

    An invoice that is of no subscription takes them all, prorations too.
    """
    waiting = []
    for item in world.all("invoiceitem").values():
        parent = (item["parent"] or {}).get("subscription_details") or {}
        mine = sub_id is None or parent.get("subscription") in (None, sub_id)
        if item["invoice"] is None and item["customer"] == customer["id"] and mine:
            waiting += [item] if item["currency"] == currency else []
    return waiting


def refresh_drafts(world: World, customer: Json, moment: Moment) -> None:
    """The customer moved or has another balance: the drafts' amounts follow."""
    for invoice_id in world.invoices_of[customer["id"]]:
        invoice = world.all("invoice").get(invoice_id)
        if invoice and invoice["status"] == "draft":
            before = snapshot(invoice)
            set_lines(world, invoice, world.lines[invoice["id"]], customer)
            emit(world, "invoice.updated", invoice, moment, before)


def set_lines(world: World, invoice: Json, lines: list[Json], customer: Json | None = None) -> None:
    """Puts the lines on the invoice and computes what it comes to."""
    world.lines[invoice["id"]] = lines
    if customer is None:
        customer = world.get("customer", invoice["customer"])
    listing = list_object(f"/v1/invoices/{invoice['id']}/lines", lines[:EMBEDDED_LINES])
    listing["total_count"], listing["has_more"] = len(lines), len(lines) > EMBEDDED_LINES
    invoice["lines"] = listing
    copy_customer(invoice, customer)
    compute(world, invoice, lines, customer)


def compute(world: World, invoice: Json, lines: list[Json], customer: Json) -> None:
    """Subtotal, discounts, tax, total and what is due after the customer's credit balance."""
    discounts.apply(world, invoice, lines)
    taxes = _tax_lines(world, invoice, lines, customer)
    net = sum(line["amount"] - discounts.off(line) for line in lines)
    of_invoice = sum(discounts.off(line, invoice["discounts"]) for line in lines)
    invoice["subtotal"] = net + of_invoice
    invoice["total_taxes"] = taxes
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    invoice["total"] = net + added
    invoice["total_excluding_tax"] = invoice["total"] - sum(tax["amount"] for tax in taxes)
    invoice["subtotal_excluding_tax"] = invoice["total_excluding_tax"] + of_invoice
    invoice["starting_balance"] = _usable_balance(customer, invoice["currency"])
    invoice["amount_due"] = max(0, invoice["total"] + invoice["starting_balance"])
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]


def copy_customer(invoice: Json, customer: Json) -> None:
    """Who is billed; follows the customer until finalization freezes it."""
    invoice["customer_address"] = snapshot(customer["address"])
    invoice["customer_email"] = customer["email"]
    invoice["customer_name"] = customer["name"]
    invoice["customer_phone"] = customer["phone"]
    invoice["customer_shipping"] = snapshot(customer["shipping"])
    invoice["customer_tax_exempt"] = customer["tax_exempt"]


def _usable_balance(customer: Json, currency: str) -> int:
    balance: int = customer["balance"]
    return balance if customer["currency"] == currency else 0


def _tax_lines(world: World, invoice: Json, lines: list[Json], customer: Json) -> list[Json]:
    """Taxes of each line, and their sum; no location, no tax, and the invoice says so."""
    for line in lines:
        line["taxes"] = []
    if not invoice["automatic_tax"]["enabled"]:
        return []
    location = locate(customer, world.ip_addresses.get(customer["id"]))
    invoice["automatic_tax"]["status"] = "complete" if location else "requires_location_inputs"
    if location is None:
        return []
    rate = rate_for(customer, location)
    if not rate.basis_points or not lines:
        return []
    for line in lines:
        line["taxes"] = [_tax_of(world, line, rate)]
    taxes = [line["taxes"][0] for line in lines]
    behaviors = sorted({tax["tax_behavior"] for tax in taxes})
    return [_summed([t for t in taxes if t["tax_behavior"] == b], rate, b) for b in behaviors]


def _tax_of(world: World, line: Json, rate: Rate) -> Json:
    """Of an inclusive item it is a part of the amount, else it comes on top."""
    item = ((line["parent"] or {}).get("invoice_item_details") or {}).get("invoice_item")
    net_minor = line["amount"] - discounts.off(line)
    if world.tax_behaviors.get(item or "") == "inclusive":
        tax_minor = tax_within(net_minor, rate)
        return _tax(tax_minor, net_minor - tax_minor, rate, "inclusive")
    return _tax(tax_on(net_minor, rate), net_minor, rate, "exclusive")


def _summed(taxes: list[Json], rate: Rate, behavior: str) -> Json:
    amount_minor = sum(tax["amount"] for tax in taxes)
    return _tax(amount_minor, sum(tax["taxable_amount"] for tax in taxes), rate, behavior)


def _tax(amount_minor: int, taxable_minor: int, rate: Rate, behavior: str) -> Json:
    return {
        "amount": amount_minor,
        "tax_behavior": behavior,
        "tax_rate_details": {"tax_rate": rate.id},
        "taxability_reason": rate.reason,
        "taxable_amount": taxable_minor,
        "type": "tax_rate_details",
    }
