"""GET /v1/reporting/transactions: what moved money, hours after it did.

A transaction is found under the day on which it began and shows once the search was refreshed after
its last change. Without `balance_affecting_records_only=N` those that moved nothing (pending,
denied) stay out, as PayPal documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from twintill.sandbox.paypal.captures import is_capture, updated
from twintill.sandbox.paypal.orders import payer_id
from twintill.sandbox.paypal.refusal import PayPalRefusal, invalid, missing
from twintill.sandbox.paypal.words import money, read_time
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Charge, Json, Movement, Refund
from twintill.sandbox.processor.world import World

LONGEST = timedelta(days=31)
_MOST = 500
# https://developer.paypal.com/docs/reports/reference/tcodes/
PAYMENT, REFUND, BANK_RETURN = "T0003", "T1107", "T1106"
CHARGEBACK, CHARGEBACK_REVERSED, CHARGEBACK_FEE = "T1201", "T1202", "T0106"
WITHDRAWAL = "T0401"  # a scheduled sweep; T0403 is one by hand


@dataclass(frozen=True, slots=True)
class Row:
    began: datetime
    changed: datetime
    status: str  # S done, P pending, D denied
    info: Json
    charge: Charge | None


def search(world: World, call: Call, lag: timedelta, now: datetime) -> Json:
    params = call.params()
    start, end = _time(params, "start_date"), _time(params, "end_date")
    refreshed = now - lag
    if end < start or end - start > LONGEST:
        text = "Date range is greater than 31 days"
        raise PayPalRefusal("INVALID_REQUEST", message=text)
    if start > refreshed:
        text = "Data for the given start date is not available."
        raise PayPalRefusal("INVALID_REQUEST", status=404, message=text)
    wants_all = params.get("balance_affecting_records_only", "Y") == "N"
    rows = [
        row
        for row in _rows(world)
        if start <= row.began <= end
        and row.changed <= refreshed
        and (wants_all or row.status == "S")
        and params.get("transaction_id") in (None, row.info["transaction_id"])
        and params.get("transaction_status") in (None, row.status)
        and params.get("transaction_type") in (None, row.info["transaction_event_code"])
    ]
    rows.sort(key=lambda row: (row.began, row.info["transaction_id"]))
    return _page(world, rows, call, params, start, end, refreshed)


def _page(
    world: World,
    rows: list[Row],
    call: Call,
    params: dict[str, str],
    start: datetime,
    end: datetime,
    refreshed: datetime,
) -> Json:
    wanted, page = _number(params, "page_size", 100, _MOST), _number(params, "page", 1, 10_000)
    size = min(wanted, world.settings.most_per_page)
    pages = -(-len(rows) // size)
    fields = params.get("fields", "transaction_info").split(",")
    chosen = rows[(page - 1) * size : page * size]
    here = f"{call.base_url}/v1/reporting/transactions?{call.query}"
    links: list[Json] = [{"href": here, "rel": "self", "method": "GET"}]
    if page < pages:
        links.append({"href": f"{here}&page={page + 1}", "rel": "next", "method": "GET"})
    return {
        "transaction_details": [_shown(world, row, fields) for row in chosen],
        "account_number": world.settings.account_id,
        "start_date": _at(start),
        "end_date": _at(end),
        "last_refreshed_datetime": _at(refreshed),
        "page": page,
        "total_items": len(rows),
        "total_pages": pages,
        "links": links,
    }


def _rows(world: World) -> Iterator[Row]:
    for charge in world.charges.values():
        if is_capture(charge):
            yield _payment(charge)
    for refund in world.refunds.values():
        yield _refund(world, refund)
    for line in world.book:
        if line.type in _OTHERS and not _is_of_its_payment(line):
            yield _other(world, line)


def _payment(charge: Charge) -> Row:
    status = {"pending": "P", "declined": "D"}.get(charge.status, "S")
    info = _info(charge.id, PAYMENT, charge.taken, charge.currency, charge)
    fee = charge.details["fee"] if status == "S" else 0
    if fee:
        info["fee_amount"] = money(-fee, charge.currency)
    changed = charge.details.get("completed", updated(charge)) if status == "S" else updated(charge)
    return Row(charge.created, changed, status, info, charge)


def _refund(world: World, refund: Refund) -> Row:
    charge = world.charge(refund.charge)
    info = _info(refund.id, REFUND, -refund.amount, refund.currency, charge)
    for name, field in (("invoice_id", "invoice_id"), ("custom_id", "custom_field")):
        if refund.details.get(name):
            info[field] = refund.details[name]
    info |= {"paypal_reference_id": charge.id, "paypal_reference_id_type": "TXN"}
    status = {"pending": "P", "failed": "D"}.get(refund.status, "S")
    changed = refund.details.get("updated", refund.created)
    return Row(refund.created, changed, status, info, charge)


_OTHERS = {
    "charge_failure": BANK_RETURN,
    "dispute": CHARGEBACK,
    "dispute_reversal": CHARGEBACK_REVERSED,
    "fee": CHARGEBACK_FEE,
    "payout": WITHDRAWAL,
}


def _is_of_its_payment(line: Movement) -> bool:
    """The fee of a payment is shown in the payment's own row."""
    return line.type == "fee" and line.source == line.charge


def _other(world: World, line: Movement) -> Row:
    charge = world.charges.get(line.charge)
    transaction_id = line.id
    if line.type == "charge_failure" and charge is not None:
        transaction_id = charge.details["reversal_id"]
    info = _info(transaction_id, _OTHERS[line.type], line.amount, line.currency, charge)
    if charge is not None:
        info |= {"paypal_reference_id": charge.id, "paypal_reference_id_type": "TXN"}
    return Row(line.created, line.created, "S", info, charge)


def _info(transaction_id: str, code: str, minor: int, currency: str, charge: Charge | None) -> Json:
    info: Json = {
        "transaction_id": transaction_id,
        "transaction_event_code": code,
        "transaction_amount": money(minor, currency),
        "protection_eligibility": "02",
    }
    if charge is not None:
        info["paypal_account_id"] = payer_id(charge.customer)
        for name, field in (("invoice_id", "invoice_id"), ("custom_id", "custom_field")):
            if charge.details.get(name):
                info[field] = charge.details[name]
    return info


def _shown(world: World, row: Row, fields: list[str]) -> Json:
    times = {
        "transaction_initiation_date": _at(row.began),
        "transaction_updated_date": _at(row.changed),
        "transaction_status": row.status,
    }
    shown: Json = {"transaction_info": row.info | times}
    if {"all", "payer_info"} & set(fields) and row.charge is not None:
        method = world.methods[row.charge.token]
        shown["payer_info"] = {
            "account_id": payer_id(row.charge.customer),
            "email_address": method.magic.display.get("email", "buyer@example.com"),
            "payer_name": {"given_name": "Sandbox", "surname": "Buyer"},
        }
    return shown


def _at(moment: datetime) -> str:
    """This API writes the zone without a colon."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _time(params: dict[str, str], name: str) -> datetime:
    text = params.get(name)
    if not text:
        raise missing(name)
    return read_time(text, name)


def _number(params: dict[str, str], name: str, default: int, most: int) -> int:
    text = params.get(name, str(default))
    if not text.isdigit() or not 0 < int(text) <= most:
        raise invalid("INVALID_PARAMETER_VALUE", name, f"1 to {most}.", text)
    return int(text)
