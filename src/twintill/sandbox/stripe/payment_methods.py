"""Payment methods that customers keep at Stripe, and the PaymentIntents that charge them.

Any id that begins with `pm_` is accepted and remembered as a card; one that contains "declined"
(in any case, as in `pm_card_chargeDeclined`) is refused by its bank whenever it is charged; one
with "debit" is a bank debit, which is processing until its bank says more (see admin.py).
"""

from __future__ import annotations

from twintill.sandbox.stripe.calls import PAGING, Call, Route, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.world import Json, Moment, World, merge_metadata


def remember_method(world: World, method_id: str, customer: Json) -> str | None:
    """Attaches the card to the customer if it is new; "" clears a default and gives None."""
    if method_id == "":
        return None
    if not method_id.startswith("pm_"):
        raise invalid(f"No such PaymentMethod: '{method_id}'", code="resource_missing")
    if method_id not in world.all("payment_method"):
        _add_method(world, method_id, customer["created"])
    method = world.get("payment_method", method_id)
    if method["customer"] not in (None, customer["id"]) and not method_id.startswith("pm_card_"):
        raise invalid("The payment method belongs to another customer.", param="payment_method")
    method["customer"] = customer["id"]
    return method_id


def is_declined(method_id: str) -> bool:
    return "declined" in method_id.lower()


def is_a_debit(method_id: str) -> bool:
    return "debit" in method_id.lower()


def new_payment_intent(world: World, invoice: Json, moment: Moment) -> Json:
    """The PaymentIntent that Stripe makes for every finalized invoice that is not free."""
    intent = world.add(
        {
            "id": world.ids.new("pi"),
            "object": "payment_intent",
            "amount": invoice["amount_due"],
            "amount_received": 0,
            "canceled_at": None,
            "cancellation_reason": None,
            "created": moment.at,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "last_payment_error": None,
            "livemode": False,
            "metadata": {},
            "payment_method": None,
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
        }
    )
    emit(world, "payment_intent.created", intent, moment)
    return intent


def create_method(world: World, call: Call) -> Json:
    method = _add_method(world, world.ids.new("pm"), call.at)
    method["metadata"] = merge_metadata({}, call.params.get("metadata"))
    return method


def get_method(world: World, call: Call) -> Json:
    return world.find("payment_method", call.id)


def attach_method(world: World, call: Call) -> Json:
    customer = world.find("customer", call.params["customer"], "customer")
    remember_method(world, call.id, customer)
    return world.get("payment_method", call.id)


def detach_method(world: World, call: Call) -> Json:
    method = world.find("payment_method", call.id)
    method["customer"] = None
    return method


def list_methods(world: World, call: Call) -> Json:
    customer = call.params.get("customer")
    rows = reversed(world.all("payment_method").values())
    return page(call, (row for row in rows if customer is None or row["customer"] == customer))


def get_intent(world: World, call: Call) -> Json:
    return world.find("payment_intent", call.id)


def _add_method(world: World, method_id: str, at: int) -> Json:
    return world.add(
        {
            "id": method_id,
            "object": "payment_method",
            "billing_details": {"address": None, "email": None, "name": None, "phone": None},
            "created": at,
            "customer": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
        }
    )


_EXPAND = {"expand": ["str"]}
ROUTES = [
    Route(
        "POST",
        "/v1/payment_methods",
        create_method,
        {
            **_EXPAND,
            "type!": ("card",),
            "card": {"token": "str", "number": "str", "exp_month": "int", "exp_year": "int"},
            "metadata": "metadata",
        },
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        list_methods,
        {**PAGING, "customer": "str", "type": ("card",)},
    ),
    Route("GET", "/v1/payment_methods/{}", get_method, _EXPAND),
    Route("POST", "/v1/payment_methods/{}/attach", attach_method, {**_EXPAND, "customer!": "str"}),
    Route("POST", "/v1/payment_methods/{}/detach", detach_method, _EXPAND),
    Route("GET", "/v1/payment_intents/{}", get_intent, _EXPAND),
]
