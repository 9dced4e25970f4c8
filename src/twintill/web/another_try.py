"""POST /v1/payments/{payment}/attempt: another try now, because somebody asks for it."""

from typing import Annotated

from pydantic import Field

from twintill.flows import another_try
from twintill.flows.another_try import Wish
from twintill.web import examples
from twintill.web.api import Collector, api_router
from twintill.web.doors import TheDoors
from twintill.web.payments import show_whole
from twintill.web.shapes import WholePaymentShape
from twintill.web.signup_shapes import Asked

router = api_router("payments")


class TryParams(Asked):
    """Without a `payment_method`: the first of the customer's that may be charged."""

    payment_method: Annotated[
        str | None, Field(min_length=1, max_length=255, description="One of the customer's.")
    ] = None
    why: Annotated[
        str | None, Field(min_length=1, max_length=500, description="Kept with who asked.")
    ] = None

    model_config = examples.shown(
        payment_method="pm_4Yk9n2bT7xQz1LmN8vRc3WpD", why="The customer has topped it up"
    )


@router.post("/v1/payments/{payment}/attempt", summary="Try a payment again now")
async def ask(
    payment: str, params: TryParams, doors: TheDoors, caller: Collector
) -> WholePaymentShape:
    """What dunning would try in some days is tried at once, also after it gave up.

    A worker charges; what becomes of it is told as of any charge. Asked again before it was tried,
    it is one try. Refused (409, the rule as `code`) while an attempt is out, when nothing is to be
    collected, and where a card network's rule forbids it: a method that was refused for good, or
    too many declines.
    """
    wish = Wish(payment, caller.actor, params.payment_method, params.why)
    await another_try.ask(doors.means, caller.scope, caller.new_id("act"), wish)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return await show_whole(db, doors.means, caller.scope, payment)
