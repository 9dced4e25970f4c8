"""Credit notes: what lowers an open invoice, or records money given back after it was paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twintill.sandbox.stripe import discounts, settling
from twintill.sandbox.stripe.balance import add_to_balance
from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.world import (
    Json,
    Moment,
    World,
    list_object,
    merge_metadata,
    snapshot,
    text_or_none,
)


@dataclass(frozen=True, slots=True)
class _Split:
    """An amount as it falls on what is still due, and on what was paid."""

    amount: int
    pre_payment: int

    @property
    def post_payment(self) -> int:
        return self.amount - self.pre_payment

    @property
    def type(self) -> str:
        if self.pre_payment and self.post_payment:
            return "mixed"
        return "post_payment" if self.post_payment else "pre_payment"


def create_credit_note(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.params["invoice"], "invoice")
    moment = world.moment_of(invoice["customer"], call.moment)
    note, lines = _plan(world, invoice, call.params, moment)
    world.add(note)
    world.credit_note_lines[note["id"]] = lines
    before = snapshot(invoice)
    _apply(world, invoice, note["pre_payment_amount"], note["post_payment_amount"])
    if call.params.get("credit_amount"):
        _credit_customer(world, invoice, note, call.params["credit_amount"], moment)
    emit(world, "credit_note.created", note, moment)
    settling.close_if_covered(world, invoice, moment, before)
    return note


def preview_credit_note(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.params["invoice"], "invoice")
    note, _ = _plan(world, invoice, call.params, world.moment_of(invoice["customer"], call.moment))
    return note


def update_credit_note(world: World, call: Call) -> Json:
    note = world.find("credit_note", call.id)
    before = snapshot(note)
    if "memo" in call.params:
        note["memo"] = text_or_none(call.params["memo"])
    note["metadata"] = merge_metadata(note["metadata"], call.params.get("metadata"))
    moment = world.moment_of(note["customer"], call.moment)
    emit(world, "credit_note.updated", note, moment, before)
    return note


def void_credit_note(world: World, call: Call) -> Json:
    """Only while the invoice is open: what was given back after payment stays given back."""
    note = world.find("credit_note", call.id)
    invoice = world.get("invoice", note["invoice"])
    if note["status"] == "void":
        raise Refusal("This credit note is already void.")
    if invoice["status"] != "open" or note["post_payment_amount"]:
        raise Refusal(
            "You can only void a pre-payment credit note, while its invoice is open.",
        )
    settling.require_no_processing(world, invoice, "changed")
    moment = world.moment_of(note["customer"], call.moment)
    before = snapshot(invoice)
    _apply(world, invoice, -note["pre_payment_amount"], 0)
    note["status"], note["voided_at"] = "void", moment.at
    emit(world, "credit_note.voided", note, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    return note


def list_credit_notes(world: World, call: Call) -> Json:
    params = call.params
    rows = (
        row
        for row in reversed(world.all("credit_note").values())
        if params.get("invoice") in (None, row["invoice"])
        and params.get("customer") in (None, row["customer"])
        and in_range(row["created"], params.get("created"))
    )
    return page(call, rows, "credit_note")


def list_note_lines(world: World, call: Call) -> Json:
    world.find("credit_note", call.id)
    return page(call, world.credit_note_lines[call.id], "credit_note_line_item")


def _plan(world: World, invoice: Json, params: Json, moment: Moment) -> tuple[Json, list[Json]]:
    """The note that these parameters make, all rules checked and nothing changed."""
    if invoice["status"] in ("draft", "void"):
        raise Refusal(
            f"You cannot create a credit note for an invoice that is {invoice['status']}."
        )
    if ("amount" in params) == ("lines" in params):
        raise invalid("Pass either amount or lines.", param="amount")
    lines = (
        _lines_of_amount(world, invoice, params["amount"])
        if "amount" in params
        else [_line_of(world, invoice, line) for line in params["lines"]]
    )
    subtotal = sum(line["amount"] for line in lines)
    total = subtotal + sum(tax["amount"] for line in lines for tax in line["taxes"])
    split = _split(invoice, total)
    _check_given(world, invoice, params, split)
    if split.pre_payment:
        settling.require_no_processing(world, invoice, "lowered")
    return _note(world, invoice, params, lines, (subtotal, split), moment), lines


def _split(invoice: Json, amount: int) -> _Split:
    noted = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    creditable = invoice["total"] - noted
    if amount <= 0 or amount > creditable:
        raise Refusal(
            f"The credit note's amount ({amount}) must be positive and at most what is left of "
            f"the invoice's total ({creditable}).",
            param="amount",
        )
    open_ = invoice["status"] in ("open", "uncollectible")
    return _Split(amount, min(amount, invoice["amount_remaining"]) if open_ else 0)


def _check_given(world: World, invoice: Json, params: Json, split: _Split) -> None:
    """What is given back must be accounted for exactly; Stripe fills nothing in."""
    parts = [params.get(name) or 0 for name in
             ("credit_amount", "refund_amount", "out_of_band_amount")]  # fmt: skip
    if any(part < 0 for part in parts) or sum(parts) != split.post_payment:
        raise Refusal(
            f"The sum of credit amount, refund amount and out of band amount ({sum(parts)}) must "
            f"equal the post payment credit note amount ({split.post_payment}).",
        )
    payments = (world.get("invoice_payment", key) for key in world.payments_of[invoice["id"]])
    paid = sum(payment["amount_paid"] or 0 for payment in payments if payment["status"] == "paid")
    if parts[1] > paid:
        raise Refusal("There is no payment at Stripe to refund.", param="refund_amount")


def _apply(world: World, invoice: Json, pre_payment: int, post_payment: int) -> None:
    invoice["pre_payment_credit_notes_amount"] += pre_payment
    invoice["post_payment_credit_notes_amount"] += post_payment
    invoice["amount_due"] -= pre_payment
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]
    if pre_payment and invoice["amount_remaining"]:
        settling.ask_for(world, invoice, invoice["amount_remaining"])


def _credit_customer(world: World, invoice: Json, note: Json, amount: int, moment: Moment) -> None:
    customer = world.get("customer", invoice["customer"])
    before = snapshot(customer)
    transaction = add_to_balance(
        world,
        customer,
        -amount,
        "credit_note",
        moment,
        invoice_id=invoice["id"],
        credit_note_id=note["id"],
    )
    note["customer_balance_transaction"] = transaction["id"]
    emit(world, "customer.updated", customer, moment, before)


def _lines_of_amount(world: World, invoice: Json, amount: int) -> list[Json]:
    """A gross amount: its tax is the same share of it as in the invoice's total."""
    taxes = [tax for tax in invoice["total_taxes"] if tax["amount"]]
    total_tax = sum(tax["amount"] for tax in taxes)
    tax = (amount * total_tax * 2 + invoice["total"]) // (2 * invoice["total"] or 1)
    line = _blank_line(world, amount - tax, "Credit")
    if taxes:
        net = {"amount": tax, "taxable_amount": amount - tax, "tax_behavior": "exclusive"}
        line["taxes"] = [{**snapshot(taxes[0]), **net}]
    first = world.lines[invoice["id"]]
    if len(first) == 1:
        line["type"], line["invoice_line_item"] = "invoice_line_item", first[0]["id"]
        line["description"] = first[0]["description"]
    return [line]


def _line_of(world: World, invoice: Json, given: Json) -> Json:
    if given["type"] == "custom_line_item":
        return _custom_line(world, invoice, given)
    wanted = given.get("invoice_line_item")
    source = next((row for row in world.lines[invoice["id"]] if row["id"] == wanted), None)
    if source is None:
        raise invalid(f"No such invoice line item: '{wanted}'", code="resource_missing")
    if discounts.off(source):
        raise invalid("The sandbox credits a discounted line only by `amount` of the note.")
    if ("amount" in given) == ("quantity" in given):
        raise invalid("Pass either amount or quantity for a line.", param="lines")
    if "quantity" in given:
        amount = source["amount"] * given["quantity"] // (source["quantity"] or 1)
    else:
        amount = given["amount"]
    line = _blank_line(world, amount, source["description"])
    line["type"], line["invoice_line_item"] = "invoice_line_item", source["id"]
    line["quantity"] = given.get("quantity")
    line["taxes"] = [
        {
            **snapshot(tax),
            "amount": (tax["amount"] * amount * 2 + source["amount"]) // (2 * source["amount"]),
            "taxable_amount": amount,
        }
        for tax in source["taxes"]
    ]
    return line


def _custom_line(world: World, invoice: Json, given: Json) -> Json:
    if invoice["automatic_tax"]["enabled"]:
        raise invalid(
            "Custom line items are not allowed on credit notes of invoices with automatic tax.",
            param="lines",
        )
    quantity = given.get("quantity", 1)
    line = _blank_line(world, given.get("unit_amount", 0) * quantity, given.get("description"))
    line["quantity"], line["unit_amount"] = quantity, given.get("unit_amount", 0)
    line["unit_amount_decimal"] = str(line["unit_amount"])
    return line


def _blank_line(world: World, amount: int, description: str | None) -> Json:
    return {
        "id": world.ids.new("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": None,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }


def _note(
    world: World,
    invoice: Json,
    params: Json,
    lines: list[Json],
    amounts: tuple[int, _Split],
    moment: Moment,
) -> Json:
    note_id = world.ids.new("cn")
    subtotal, split = amounts
    earlier = sum(row["invoice"] == invoice["id"] for row in world.all("credit_note").values())
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": split.amount,
        "amount_shipping": 0,
        "created": moment.at,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": params.get("effective_at") or moment.at,
        "invoice": invoice["id"],
        "lines": list_object(f"/v1/credit_notes/{note_id}/lines", lines),
        "livemode": False,
        "memo": text_or_none(params.get("memo")),
        "metadata": merge_metadata({}, params.get("metadata")),
        "number": f"{invoice['number']}-CN-{earlier + 1:02d}",
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pdf": f"https://pay.stripe.com/credit_notes/acct_sandbox/{note_id}/pdf",
        "post_payment_amount": split.post_payment,
        "pre_payment_amount": split.pre_payment,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": split.amount,
        "total_excluding_tax": subtotal,
        "total_taxes": [snapshot(tax) for line in lines for tax in line["taxes"]],
        "type": split.type,
        "voided_at": None,
    }


_CREATE: dict[str, Any] = {
    "amount": "int",
    "credit_amount": "int",
    "effective_at": "int",
    "email_type": ("credit_note", "none"),
    "expand": ["str"],
    "invoice!": "str",
    "lines": [
        {
            "amount": "int",
            "description": "str",
            "invoice_line_item": "str",
            "quantity": "int",
            "type!": ("custom_line_item", "invoice_line_item"),
            "unit_amount": "int",
        }
    ],
    "memo": "str",
    "metadata": "metadata",
    "out_of_band_amount": "int",
    "reason": ("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    "refund_amount": "int",
}
_EXPAND: dict[str, Any] = {"expand": ["str"]}
ROUTES = [
    Route("POST", "/v1/credit_notes", create_credit_note, _CREATE),
    Route("GET", "/v1/credit_notes/preview", preview_credit_note, _CREATE),
    Route(
        "GET",
        "/v1/credit_notes",
        list_credit_notes,
        {**PAGING, "created": "range", "customer": "str", "invoice": "str"},
    ),
    Route(
        "GET",
        "/v1/credit_notes/{}",
        lambda world, call: world.find("credit_note", call.id),
        _EXPAND,
    ),
    Route(
        "POST",
        "/v1/credit_notes/{}",
        update_credit_note,
        {**_EXPAND, "memo": "str", "metadata": "metadata"},
    ),
    Route("POST", "/v1/credit_notes/{}/void", void_credit_note, _EXPAND),
    Route("GET", "/v1/credit_notes/{}/lines", list_note_lines, PAGING),
]
