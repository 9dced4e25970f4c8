"""Discounts: coupons redeemed for a subscription, an invoice or an item, and what they take off.

Those of an item come first, then those of the invoice, in their order; what is taken off is
rounded half up, line by line. Amounts are spread over the lines in proportion, to the last cent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from twintill.sandbox.stripe.coupons import is_valid
from twintill.sandbox.stripe.periods import add_months
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.world import Json, World

DISCOUNTS: Any = [{"coupon": "str", "discount": "str"}]


def redeem(
    world: World, given: list[Json] | str, currency: str, at: int, **of: str | None
) -> list[str]:
    """The discounts for what was given (coupons, or discounts to keep); `of`: whose they are.

    Raises a Refusal for a coupon that is unknown, used up, too late or in another currency.
    """
    checked = _all_checked(world, given, currency, at)
    return [one if isinstance(one, str) else _redeemed(world, one, at, of) for one in checked]


def trial_of(world: World, given: list[Json] | str, currency: str, at: int) -> list[str]:
    """As `redeem`, for a preview: the coupons are not used up. To be forgotten afterwards."""
    checked = _all_checked(world, given, currency, at)
    return [one if isinstance(one, str) else _new(world, one, at, {})["id"] for one in checked]


def holding(world: World, ids: list[str], at: int) -> list[str]:
    """Those that have not come to their end."""
    table = world.all("discount")
    return [key for key in ids if table[key]["end"] is None or table[key]["end"] > at]


def lasting(world: World, ids: list[str]) -> list[str]:
    """Those that are not for one invoice alone."""
    return [key for key in ids if coupon_of(world, key)["duration"] != "once"]


def used_up(world: World, invoice: Json) -> set[str]:
    """The discounts for one invoice that this invoice has used."""
    taken = {row["discount"] for row in invoice["total_discount_amounts"] if row["amount"]}
    return {key for key in taken if coupon_of(world, key)["duration"] == "once"}


def apply(world: World, invoice: Json, lines: list[Json]) -> None:
    """Writes what each discount takes off onto the lines and the invoice."""
    for line in lines:
        line["discount_amounts"] = []
    for line in lines:
        for key in line["discounts"]:
            _take(world, key, [line])
    for key in invoice["discounts"]:
        _take(world, key, lines)
    totals: dict[str, int] = dict.fromkeys(invoice["discounts"], 0)
    for line in lines:
        for row in line["discount_amounts"]:
            totals[row["discount"]] = totals.get(row["discount"], 0) + row["amount"]
    invoice["total_discount_amounts"] = [
        {"amount": amount, "discount": key} for key, amount in totals.items()
    ]


def off(line: Json, of: list[str] | None = None) -> int:
    """What is taken off a line: by all, or by these."""
    return sum(r["amount"] for r in line["discount_amounts"] if of is None or r["discount"] in of)


def net_amounts(world: World, ids: list[str], amounts: list[int]) -> list[int]:
    """What is left of these amounts after these discounts."""
    lines: list[Json] = [
        {"amount": amount, "discountable": True, "discount_amounts": []} for amount in amounts
    ]
    for key in ids:
        _take(world, key, lines)
    return [_rest(line) for line in lines]


def coupon_of(world: World, discount_id: str) -> Json:
    """Its coupon, also when that was deleted since."""
    coupon_id = world.get("discount", discount_id)["source"]["coupon"]
    return world.all("coupon").get(coupon_id) or world.deleted_coupons[coupon_id]


def _all_checked(world: World, given: list[Json] | str, currency: str, at: int) -> list[Json | str]:
    """An empty string is Stripe's way to say none."""
    listed = given if isinstance(given, list) else []
    return [_checked(world, one, n, currency, at) for n, one in enumerate(listed)]


def _checked(world: World, one: Json, n: int, currency: str, at: int) -> Json | str:
    """The coupon that is to be redeemed, or the discount that is kept."""
    if one.get("discount"):
        found = world.find("discount", one["discount"], f"discounts[{n}][discount]")
        return str(found["id"])
    if not one.get("coupon"):
        raise invalid("Pass a coupon or a discount.", param=f"discounts[{n}]")
    coupon = world.find("coupon", one["coupon"], f"discounts[{n}][coupon]")
    if not is_valid(coupon, at):
        raise Refusal(
            f"Coupon expired: {coupon['id']}",
            code="coupon_expired",
            param=f"discounts[{n}][coupon]",
        )
    if coupon["currency"] not in (None, currency):
        raise invalid(
            f"The coupon {coupon['id']} is in {coupon['currency']}, not in {currency}.",
            param=f"discounts[{n}][coupon]",
        )
    return coupon


def _redeemed(world: World, coupon: Json, at: int, of: dict[str, str | None]) -> str:
    coupon["times_redeemed"] += 1
    coupon["valid"] = is_valid(coupon, at)
    return str(_new(world, coupon, at, of)["id"])


def _new(world: World, coupon: Json, at: int, of: dict[str, str | None]) -> Json:
    end = None
    if coupon["duration"] == "repeating":
        months = coupon["duration_in_months"]
        end = int(add_months(datetime.fromtimestamp(at, UTC), months).timestamp())
    return world.add(
        {
            "id": world.ids.new("di"),
            "object": "discount",
            "checkout_session": None,
            "customer": of.get("customer"),
            "customer_account": None,
            "end": end,
            "invoice": of.get("invoice"),
            "invoice_item": of.get("invoice_item"),
            "promotion_code": None,
            "source": {"coupon": coupon["id"], "type": "coupon"},
            "start": at,
            "subscription": of.get("subscription"),
            "subscription_item": None,
        }
    )


def _take(world: World, key: str, lines: list[Json]) -> None:
    coupon = coupon_of(world, key)
    eligible = [line for line in lines if line["discountable"] and _rest(line) > 0]
    if coupon["percent_off"] is not None:
        part = Decimal(str(coupon["percent_off"])) / 100
        amounts = [_rounded(_rest(line) * part) for line in eligible]
    else:
        amounts = _spread(coupon["amount_off"], [_rest(line) for line in eligible])
    for line, amount in zip(eligible, amounts, strict=True):
        line["discount_amounts"].append({"amount": amount, "discount": key})


def _spread(amount_minor: int, over: list[int]) -> list[int]:
    """In proportion; what rounding leaves goes to the lines that follow, so the sum is exact."""
    whole = sum(over)
    amount_minor, done, seen, parts = min(amount_minor, whole), 0, 0, []
    for one in over:
        seen += one
        upto = (amount_minor * seen * 2 + whole) // (2 * whole)
        parts.append(upto - done)
        done = upto
    return parts


def _rest(line: Json) -> int:
    return int(line["amount"]) - off(line)


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
