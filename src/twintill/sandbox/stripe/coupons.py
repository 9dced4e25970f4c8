"""Coupons: how much off, and for how long."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.world import Json, World, merge_metadata, snapshot, text_or_none

_DURATIONS = ("forever", "once", "repeating")


def create_coupon(world: World, call: Call) -> Json:
    params = call.params
    coupon_id = params.get("id") or world.ids.coupon()
    if coupon_id in world.all("coupon"):
        raise Refusal("Coupon already exists.", code="resource_already_exists", param="id")
    duration = params.get("duration", "once")
    _check(params, duration)
    coupon = world.add(
        {
            "id": coupon_id,
            "object": "coupon",
            "amount_off": params.get("amount_off"),
            "created": call.at,
            "currency": params["currency"].lower() if params.get("amount_off") else None,
            "duration": duration,
            "duration_in_months": params.get("duration_in_months"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": merge_metadata({}, params.get("metadata")),
            "name": text_or_none(params.get("name")),
            "percent_off": float(params["percent_off"]) if params.get("percent_off") else None,
            "redeem_by": params.get("redeem_by"),
            "times_redeemed": 0,
            "valid": True,
        }
    )
    emit(world, "coupon.created", coupon, call.moment)
    return coupon


def get_coupon(world: World, call: Call) -> Json:
    return _as_of(world.find("coupon", call.id), call.at)


def update_coupon(world: World, call: Call) -> Json:
    coupon = world.find("coupon", call.id)
    before = snapshot(coupon)
    if "name" in call.params:
        coupon["name"] = text_or_none(call.params["name"])
    coupon["metadata"] = merge_metadata(coupon["metadata"], call.params.get("metadata"))
    emit(world, "coupon.updated", coupon, call.moment, before)
    return _as_of(coupon, call.at)


def delete_coupon(world: World, call: Call) -> Json:
    """Nobody can redeem it any more; whoever has redeemed it keeps the discount."""
    coupon = world.find("coupon", call.id)
    emit(world, "coupon.deleted", coupon, call.moment)
    world.deleted_coupons[coupon["id"]] = coupon
    return world.remove(coupon)


def list_coupons(world: World, call: Call) -> Json:
    rows = (
        _as_of(row, call.at)
        for row in reversed(world.all("coupon").values())
        if in_range(row["created"], call.params.get("created"))
    )
    return page(call, rows, "coupon")


def is_valid(coupon: Json, at: int) -> bool:
    """Whether it can still be redeemed."""
    limit, last = coupon["max_redemptions"], coupon["redeem_by"]
    return (limit is None or coupon["times_redeemed"] < limit) and (last is None or at <= last)


def _as_of(coupon: Json, at: int) -> Json:
    coupon["valid"] = is_valid(coupon, at)
    return coupon


def _check(params: Json, duration: str) -> None:
    if ("amount_off" in params) == ("percent_off" in params):
        raise invalid("You must pass either `percent_off` or `amount_off`.", param="percent_off")
    if "percent_off" in params and not 0 < Decimal(params["percent_off"]) <= 100:
        raise invalid("`percent_off` must be above 0 and at most 100.", param="percent_off")
    if "amount_off" in params and params["amount_off"] < 1:
        raise invalid("Invalid positive integer", param="amount_off")
    if "amount_off" in params and not params.get("currency"):
        raise invalid("You must pass `currency` with `amount_off`.", param="currency")
    if (duration == "repeating") != ("duration_in_months" in params):
        raise invalid(
            "`duration_in_months` goes with `duration=repeating`, and only with it.",
            param="duration_in_months",
        )


_CHANGEABLE: dict[str, Any] = {"expand": ["str"], "metadata": "metadata", "name": "str"}
ROUTES = [
    Route(
        "POST",
        "/v1/coupons",
        create_coupon,
        {
            **_CHANGEABLE,
            "amount_off": "int",
            "currency": "str",
            "duration": _DURATIONS,
            "duration_in_months": "int",
            "id": "str",
            "max_redemptions": "int",
            "percent_off": "decimal",
            "redeem_by": "int",
        },
    ),
    Route("GET", "/v1/coupons", list_coupons, {**PAGING, "created": "range"}),
    Route("GET", "/v1/coupons/{}", get_coupon, {"expand": ["str"]}),
    Route("POST", "/v1/coupons/{}", update_coupon, _CHANGEABLE),
    Route("DELETE", "/v1/coupons/{}", delete_coupon),
]
