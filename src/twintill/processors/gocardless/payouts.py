"""Reads GoCardless's payouts: each is one settlement, and adds up. Pure.

Source: its API reference, Payouts and Payout Items. The items' amounts are decimal texts of minor
units, and those of fees have fractions ("-25.5"), which nobody is ever paid: GoCardless rounds the
sum of all. So fees are one line of the payout, its own whole `deducted_fees`; what is left between
that and the payout's amount, of less than a unit, is shown as a line of its own and never spread.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from twintill.money import Money
from twintill.processors.fields import Json, Unreadable, object_of, text_of, time_of
from twintill.processors.gocardless.currencies import MAX_AMOUNT, from_gocardless
from twintill.processors.reports import SettlementKind, SettlementLine

_KINDS = {
    "payment_paid_out": SettlementKind.CHARGE,
    "payment_failed": SettlementKind.CHARGE_FAILED,
    "payment_charged_back": SettlementKind.DISPUTE,
    "payment_refunded": SettlementKind.REFUND,
    "refund": SettlementKind.REFUND,
    "refund_funds_returned": SettlementKind.REFUND_FAILED,
}
# What `deducted_fees` is the sum of.
_FEES = frozenset(("gocardless_fee", "app_fee", "surcharge_fee"))
_WHOLE = re.compile(r"(-?[0-9]{1,12})(?:\.0+)?\Z")
_PARTLY = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,8})?\Z")
GONE = "items_gone"


def read_lines(payout: Json, items: Sequence[Json] | None) -> tuple[SettlementLine, ...]:
    """Everything that one payout settles; `items`: None where they are not shown any more."""
    left = _Payout(payout)
    lines = list(left.items(items or ()))
    fees = -_number(payout, "deducted_fees")
    if fees:
        lines.append(left.line(f"{left.id}:fees", SettlementKind.FEE, "deducted_fees", fees))
    rest = left.amount - sum(line.amount.minor for line in lines)
    if rest:
        what = GONE if items is None else "rounding"
        lines.append(left.line(f"{left.id}:{what}", SettlementKind.OTHER, what, rest))
    lines.append(left.line(left.id, SettlementKind.PAYOUT, "payout", -left.amount))
    if payout.get("status") == "bounced":
        lines.append(
            left.line(f"{left.id}:bounced", SettlementKind.PAYOUT_RETURNED, "bounced", left.amount)
        )
    return tuple(lines)


class _Payout:
    """What all of its lines have in common."""

    def __init__(self, payout: Json) -> None:
        self.id = text_of(payout, "id")
        self.currency = text_of(payout, "currency")
        self.amount = _number(payout, "amount")
        made_at = time_of(payout, "created_at")
        if made_at is None:
            raise Unreadable("a payout without its time")
        self._made_at: datetime = made_at

    def line(self, line_id: str, kind: SettlementKind, raw: str, minor: int) -> SettlementLine:
        return SettlementLine(
            line_id, kind, raw, self._money(minor), self._made_at, payout_id=self.id
        )

    def items(self, items: Sequence[Json]) -> Iterator[SettlementLine]:
        """An item has no id: its payout, type, object and amount name it, and a number of such."""
        seen: Counter[str] = Counter()
        for item in items:
            raw = text_of(item, "type")
            if raw in _FEES:
                if not _PARTLY.match(text_of(item, "amount")):
                    raise Unreadable("an item's amount is no number")
                continue
            links = object_of(item, "links")
            payment_id, refund_id = links.get("payment"), links.get("refund")
            minor = _whole(item)
            of = refund_id or payment_id or links.get("mandate") or ""
            name = f"{self.id}:{raw}:{of}:{minor}"
            seen[name] += 1
            yield SettlementLine(
                line_id=name if seen[name] == 1 else f"{name}:{seen[name]}",
                kind=_kind(raw, minor),
                raw_type=raw,
                amount=self._money(minor),
                occurred_at=self._made_at,
                processor_payment_id=payment_id if isinstance(payment_id, str) else None,
                object_id=refund_id if isinstance(refund_id, str) else None,
                payout_id=self.id,
            )

    def _money(self, minor: int) -> Money:
        try:
            return from_gocardless(minor, self.currency)
        except KeyError:
            raise Unreadable(f"a payout in {self.currency[:10]!r}") from None


def _kind(raw: str, minor: int) -> SettlementKind:
    if raw == "payment_charged_back" and minor > 0:
        return SettlementKind.DISPUTE_WON
    return _KINDS.get(raw, SettlementKind.OTHER)


def _whole(item: Json) -> int:
    """What is not a fee has no fractions."""
    match = _WHOLE.match(text_of(item, "amount"))
    if match is None:
        raise Unreadable(f"an amount of {item.get('type')} that is no whole number")
    return int(match[1])


def _number(fields: Json, name: str) -> int:
    """A whole number of either sign."""
    value = fields.get(name)
    if type(value) is not int or abs(value) > 1000 * MAX_AMOUNT:
        raise Unreadable(f"{name} is not a whole number")
    return value
