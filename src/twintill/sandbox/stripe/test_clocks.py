"""Test clocks: customers with a time of their own, which only goes on when it is told to."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe.calls import PAGING, Call, Route, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.periods import boundary
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.settings import DAY_S
from twintill.sandbox.stripe.subscription_state import ENDED
from twintill.sandbox.stripe.world import Json, World, text_or_none

KIND = "test_helpers.test_clock"


def create_clock(world: World, call: Call) -> Json:
    clock = world.add(
        {
            "id": world.ids.new("clock"),
            "object": KIND,
            "created": call.at,
            "deletes_after": call.at + 30 * DAY_S,
            "frozen_time": call.params["frozen_time"],
            "livemode": False,
            "name": text_or_none(call.params.get("name")),
            "status": "ready",
            "status_details": {},
        }
    )
    emit(world, "test_helpers.test_clock.created", clock, call.moment)
    return clock


def advance_clock(world: World, call: Call) -> Json:
    """Answers at once with `advancing`; the engine brings the clock's objects forward."""
    clock, target = world.find(KIND, call.id), call.params["frozen_time"]
    if clock["status"] != "ready":
        raise Refusal("Test clock advancement underway - cannot perform modifications.",
                      code="test_clock_advancement_underway", status=429)  # fmt: skip
    if target <= clock["frozen_time"]:
        raise invalid("The clock can only be advanced to a later time.", param="frozen_time")
    if target > _furthest(world, clock):
        raise invalid(
            "A test clock can be advanced by at most two intervals of its shortest subscription.",
            param="frozen_time",
        )
    clock["status"] = "advancing"
    clock["status_details"] = {"advancing": {"target_frozen_time": target}}
    emit(world, "test_helpers.test_clock.advancing", clock, call.moment)
    world.agenda.add(call.at, "advance_clock", clock["id"])
    return clock


def delete_clock(world: World, call: Call) -> Json:
    """Takes its customers, and all that belongs to them, with it."""
    clock = world.find(KIND, call.id)
    for kind in ("customer", "subscription", "invoice", "invoiceitem"):
        table = world.all(kind)
        for row in [row for row in table.values() if row["test_clock"] == clock["id"]]:
            world.remove(row)
    world.agenda.forget_clock(clock["id"])
    emit(world, "test_helpers.test_clock.deleted", clock, call.moment)
    return world.remove(clock)


def list_clocks(world: World, call: Call) -> Json:
    return page(call, reversed(world.all(KIND).values()), "test_clock")


def _furthest(world: World, clock: Json) -> int:
    now: int = clock["frozen_time"]
    ends = [
        boundary(now, recurring["interval"], recurring["interval_count"], 2)
        for subscription in world.all("subscription").values()
        if subscription["test_clock"] == clock["id"] and subscription["status"] not in ENDED
        for recurring in [subscription["items"]["data"][0]["price"]["recurring"]]
    ]
    return min(ends, default=now + 2 * 366 * DAY_S)


_EXPAND: dict[str, Any] = {"expand": ["str"]}
_PATH = "/v1/test_helpers/test_clocks"
ROUTES = [
    Route("POST", _PATH, create_clock, {**_EXPAND, "frozen_time!": "int", "name": "str"}),
    Route("GET", _PATH, list_clocks, PAGING),
    Route("GET", _PATH + "/{}", lambda world, call: world.find(KIND, call.id), _EXPAND),
    Route("DELETE", _PATH + "/{}", delete_clock),
    Route("POST", _PATH + "/{}/advance", advance_clock, {**_EXPAND, "frozen_time!": "int"}),
]
