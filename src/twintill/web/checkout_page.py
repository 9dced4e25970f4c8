"""The checkout page: plain forms for a person, without script, safe to press twice or come back to.

Whoever knows the unguessable id may use the page; a form must also come from the page itself.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog
from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from twintill.domain.address import Address, clean, complaints
from twintill.errors import (
    ConflictError,
    Forbidden,
    NotFoundError,
    ProcessorError,
    ProcessorRefused,
    StripeError,
)
from twintill.flows import consent, setups
from twintill.flows import operations as flow
from twintill.store.checkouts import CheckoutState, Purpose
from twintill.web import checkout_views as views
from twintill.web import problems
from twintill.web.checkout_messages import MISSING, TROUBLE
from twintill.web.doors import the_doors, the_means
from twintill.web.reader import countries

_log = structlog.get_logger(__name__)

_PATIENCE_S = 5
_UNREACHABLE = (
    "We cannot reach the payment provider right now. Nothing was charged. Please try again in a "
    "moment."
)
_REFUSED = (
    "This way to pay is not available right now. Nothing was charged. Please contact us: trying "
    "again will not help."
)
_UNKNOWN_PLACE = "We cannot find this place. Check the country and the postal code."


class PageRoute(APIRoute):
    """Errors as pages for a person, not as problems for a program."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_for_a_person(request: Request) -> Response:
            try:
                _refuse_other_sites(request)
                return await handle(request)
            except NotFoundError:
                return views.plain(MISSING, 404)
            except Exception as error:  # noqa: BLE001 -- logged by `problems`, shown without detail
                return views.plain(TROUBLE, problems.answer(request, error).status_code)

        return handle_for_a_person


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/checkout/{checkout_id}")
async def show(checkout_id: str, request: Request) -> Response:
    return await views.page(request, checkout_id)


@router.post("/checkout/{checkout_id}")
async def go_on(checkout_id: str, request: Request) -> Response:
    """The address, then on to the processor."""
    situation = await views.situation(request, checkout_id)
    if situation.its.state is not CheckoutState.OPEN:
        return _back(request, checkout_id)
    if situation.its.purpose is Purpose.METHOD:
        return await _to_processor(request, checkout_id)
    address = await _address(request)
    wrong = _complaints(address)
    try:
        if not wrong and not await _locate(request, checkout_id, address):
            wrong = {"postal_code": _UNKNOWN_PLACE}
    except StripeError:
        return await views.page(
            request, checkout_id, 503, given=asdict(address), alert=_UNREACHABLE
        )
    if wrong:
        return await views.page(request, checkout_id, 422, given=asdict(address), wrong=wrong)
    return await _to_processor(request, checkout_id)


@router.post("/checkout/{checkout_id}/method")
async def another_method(checkout_id: str, request: Request) -> Response:
    """After a decline."""
    return await _to_processor(request, checkout_id)


@router.get("/checkout/{checkout_id}/return")
async def come_back(checkout_id: str, request: Request) -> Response:
    """From the processor: nothing in this address is believed; the processor is asked."""
    situation = await views.situation(request, checkout_id)
    await _drive(request, situation.its.operation_id)
    return _back(request, checkout_id)


@router.post("/checkout/{checkout_id}/confirm")
async def confirm(checkout_id: str, request: Request) -> Response:
    """Yes to the amount that was shown when the button was pressed."""
    means = the_means(request)
    amount = (await _fields(request)).get("amount", "")
    final_minor = int(amount) if amount.isascii() and amount.isdigit() else -1
    try:
        await consent.confirm(means, means.scope, checkout_id, final_minor)
    except ConflictError:
        return _back(request, checkout_id)  # it shows what is asked about by now
    the_doors(request).waker.ring()
    return _back(request, checkout_id)


@router.post("/checkout/{checkout_id}/decline")
async def decline(checkout_id: str, request: Request) -> Response:
    """No to it: the sign-up is undone."""
    means = the_means(request)
    situation = await views.situation(request, checkout_id)
    await consent.give_up(means, means.scope, checkout_id)
    await _drive(request, situation.its.operation_id)
    return _back(request, checkout_id)


async def _to_processor(request: Request, checkout_id: str) -> Response:
    """To the processor's page; or to ours, when there is nothing to choose any more."""
    means = the_means(request)
    situation = await views.situation(request, checkout_id)
    if situation.its.state is CheckoutState.OPEN and situation.its.payment_method_id is not None:
        await _drive(request, situation.its.operation_id)
        return _back(request, checkout_id)
    try:
        url = await setups.start(means, means.scope, checkout_id)
    except ProcessorError as error:
        its = situation.its  # never the checkout's id: who reads the log could use the page
        _log.warning("setup_not_started", operation_id=its.operation_id, why=str(error))
        alert = _REFUSED if isinstance(error, ProcessorRefused) else _UNREACHABLE
        return await views.page(request, checkout_id, 503, alert=alert)
    the_doors(request).waker.ring()
    if url is not None:
        return RedirectResponse(url, 303, views.HEADERS)
    await _drive(request, situation.its.operation_id)
    return _back(request, checkout_id)


async def _drive(request: Request, operation_id: str) -> None:
    """For speed: a worker would do it a moment later. One that is at it is waited for, so that
    who comes back from the processor does not see the form that he has filled in already.
    """
    means = the_means(request)
    await flow.drive(means, means.scope, operation_id, patience_s=_PATIENCE_S)
    the_doors(request).waker.ring()


def _back(request: Request, checkout_id: str) -> Response:
    return RedirectResponse(views.path(request, checkout_id), 303, views.HEADERS)


async def _locate(request: Request, checkout_id: str, address: Address) -> bool:
    means = the_means(request)
    ip = _ip(request, livemode=means.scope.livemode)
    return await consent.locate(means, means.scope, checkout_id, address.filled(), ip)


def _ip(request: Request, *, livemode: bool) -> str | None:
    """The customer's, as a place for tax; in live mode only one that is a place."""
    try:
        found = ip_address(request.client.host if request.client else "")
    except ValueError:
        return None
    return str(found) if found.is_global or not livemode else None


async def _address(request: Request) -> Address:
    fields = await _fields(request)
    return clean(Address(**{name: fields.get(name, "") for name in Address.__slots__}))


def _complaints(address: Address) -> Mapping[str, str]:
    found = complaints(address)
    if all(address.country != code for code, _ in countries()):
        found = {"country": "Choose your country."} | found
    return found


async def _fields(request: Request) -> Mapping[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}


def _refuse_other_sites(request: Request) -> None:
    """A form on another site cannot know the id; should it leak, this still holds."""
    if request.method != "POST":
        return
    origin = request.headers.get("origin")
    ours = (urlsplit(the_means(request).public_url).netloc, request.headers.get("host"))
    if origin is not None and urlsplit(origin).netloc not in ours:
        raise Forbidden("This form was sent from another site.")
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("This form was sent from another site.")
