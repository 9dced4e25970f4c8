"""What the checkout page shows: from where things stand to HTML."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from twintill.display import amount_for
from twintill.domain.address import Address
from twintill.domain.payment import Payment
from twintill.money import Money
from twintill.store import checkouts, operations, payments
from twintill.store.checkouts import Checkout, CheckoutState, Due, Purpose
from twintill.web.checkout_messages import Message, message_for
from twintill.web.doors import the_means
from twintill.web.reader import countries, country_of, locale_of

_STYLE = files("twintill.web").joinpath("static/checkout.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_templates = Environment(
    loader=PackageLoader("twintill.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["style"] = Markup(_STYLE)  # noqa: S704 -- our own file
HEADERS = {
    # No form-action: browsers apply it to the redirect after a form as well, and that one leads
    # to whatever address the processor names. No script and no foreign asset, ever.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    # A form sent without any referrer would come from the origin "null".
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PROBLEMS = {
    "setup_closed": "You did not finish choosing a payment method. Nothing was charged.",
    "address": "Your address is not precise enough to compute the tax. Nothing was charged.",
}
_NOTE = (
    "Next you choose how to pay at the payment provider, who keeps your choice for the later "
    "payments of this subscription. When you have chosen, the amount above is charged."
)
_NOTE_FREE = (
    "Next you choose how to pay at the payment provider, who keeps your choice for the later "
    "payments of this subscription. Nothing is charged today."
)
_NOTE_METHOD = (
    "Your choice replaces the present payment method. An invoice that could not be paid so far "
    "is paid with it at once; nothing else is charged now."
)
_NOTE_METHOD_ONLY = (
    "Your choice is used for what is to be paid from now on. Nothing is charged by choosing it."
)


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a checkout stands, read in one go."""

    its: Checkout
    payment: Payment | None
    in_review: bool
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class _Typed:
    given: Mapping[str, str]
    wrong: Mapping[str, str]  # by field, in words


async def situation(request: Request, checkout_id: str) -> Situation:
    """Raises NotFoundError."""
    means = the_means(request)
    async with means.database.connect() as db:
        its = await checkouts.read(db, means.scope, checkout_id)
        operation = await operations.read(db, means.scope, its.operation_id)
        payment = None
        if its.payment_id is not None:
            payment = await payments.read(db, means.scope, its.payment_id)
        due = tuple(await checkouts.due(db, means.scope, its))
    return Situation(its, payment, operation.parked_why is not None, due)


async def page(
    request: Request,
    checkout_id: str,
    status: int = 200,
    *,
    given: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    alert: str = "",
) -> Response:
    """The page as it is now; `given` and `wrong`: what the customer typed, and what is wrong."""
    now = await situation(request, checkout_id)
    locale = locale_of(request.headers.get("accept-language"))
    here = path(request, checkout_id)
    if now.its.state is CheckoutState.CONFIRMING and not now.in_review:
        return _confirm(now.its, here, locale, alert, status)
    if now.its.state is CheckoutState.OPEN and not now.in_review:
        typed = _Typed(given or {}, wrong or {})
        return _form(now, here, locale, typed, alert, status)
    message = message_for(now.its, now.payment, locale, in_review=now.in_review)
    return plain(message, status, here=here, alert=alert)


def path(request: Request, checkout_id: str) -> str:
    """The page's own, also where a proxy serves us below a folder."""
    folder = urlsplit(the_means(request).public_url).path.rstrip("/")
    return f"{folder}/checkout/{checkout_id}"


def plain(message: Message, status: int = 200, *, here: str = "", alert: str = "") -> Response:
    values = {"message": message, "refresh_s": message.refresh_s, "here": here, "alert": alert}
    return _render("message.html", status, **values)


def _form(
    now: Situation, here: str, locale: Locale, typed: _Typed, alert: str, status: int
) -> Response:
    its = now.its
    sells = its.purpose is Purpose.SIGNUP
    blank = dict.fromkeys(Address.__slots__, "") | {"country": country_of(locale)}
    amount = amount_for(Money(its.shown_minor, its.currency), locale)
    return _render(
        "form.html",
        status,
        heading="Check out" if sells else "Choose a new payment method",
        bill={"description": its.description, "amount": amount} if sells else None,
        wants_address=sells,
        countries=countries(),
        given={**blank, **typed.given},
        wrong=typed.wrong,
        alert=alert or _PROBLEMS.get(its.problem or "", ""),
        here=here,
        cancel_url=its.cancel_url,
        button="Continue" if sells else "Choose a payment method",
        note=_note(now, locale),
    )


def _note(now: Situation, locale: Locale) -> str:
    its = now.its
    if its.purpose is Purpose.METHOD and not its.charges_due:
        return _NOTE_METHOD_ONLY
    if now.due:
        named = ", ".join(
            f"{amount_for(Money(one.amount_minor, one.currency), locale)} "
            f"(invoice {one.number or one.invoice_id})"
            for one in now.due
        )
        return f"{_NOTE_METHOD} That is now: {named}."
    if its.purpose is Purpose.METHOD:
        return _NOTE_METHOD
    return _NOTE if its.shown_minor else _NOTE_FREE


def _confirm(its: Checkout, here: str, locale: Locale, alert: str, status: int) -> Response:
    final_minor = its.final_minor or 0
    shown_minor = its.shown_minor if its.agreed_minor is None else its.agreed_minor
    return _render(
        "confirm.html",
        status,
        description=its.description,
        shown=amount_for(Money(shown_minor, its.currency), locale),
        final=amount_for(Money(final_minor, its.currency), locale),
        final_minor=final_minor,
        here=here,
        alert=alert,
    )


def _render(template: str, status: int, **values: Any) -> Response:
    html = _templates.get_template(template).render(**values)
    return HTMLResponse(html, status, HEADERS)
