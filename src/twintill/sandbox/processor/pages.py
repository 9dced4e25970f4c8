"""The pages for a person: choose how to pay, and approve a charge that waits for you."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from babel import Locale, UnknownLocaleError
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from twintill.display import ENGLISH, written
from twintill.sandbox.processor import charging, setups
from twintill.sandbox.processor.engine import Sandbox
from twintill.sandbox.processor.magic import Line, Magic
from twintill.sandbox.processor.objects import Charge, SetupSession
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.requests import Here

router = APIRouter()
_templates = Environment(
    loader=PackageLoader("twintill.sandbox.processor"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_HEADERS = {
    # No form-action: browsers apply it to the redirect after the form, too.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_KINDS = {"card": "Cards", "wallet": "Wallet", "bank_debit": "Bank debit"}
_TROUBLE = "Trouble on the line"


@router.get("/setup/{session_id}")
async def show_setup(session_id: str, sandbox: Here) -> Response:
    await sandbox.catch_up()
    session = sandbox.world.sessions.get(session_id)
    return _missing(sandbox) if session is None else _setup_page(sandbox, session)


@router.post("/setup/{session_id}")
async def choose_method(session_id: str, request: Request, sandbox: Here) -> Response:
    now = await sandbox.catch_up()
    session = sandbox.world.sessions.get(session_id)
    if session is None:
        return _missing(sandbox)
    chosen = await _field(request, "method")
    if session.status == "open" and chosen not in sandbox.world.dialect.methods:
        return _setup_page(sandbox, session, status=422, error="Please choose one of these.")
    try:
        setups.complete_setup(sandbox.world, session_id, chosen, now)
    except Refusal:
        return _setup_page(sandbox, session, status=409)
    return RedirectResponse(_way_back(sandbox, session), 303, _HEADERS)


@router.get("/actions/{charge_id}")
async def show_action(charge_id: str, request: Request, sandbox: Here) -> Response:
    await sandbox.catch_up()
    charge = sandbox.world.charges.get(charge_id)
    if charge is None or charge.action_url is None:
        return _missing(sandbox)
    amount = _amount(sandbox, charge, request)
    return _page(sandbox, "action.html", charge=charge, amount=amount)


@router.post("/actions/{charge_id}")
async def decide_action(charge_id: str, request: Request, sandbox: Here) -> Response:
    now = await sandbox.catch_up()
    charge = sandbox.world.charges.get(charge_id)
    if charge is None or charge.action_url is None:
        return _missing(sandbox)
    decision = await _field(request, "decision")
    if decision in ("approve", "refuse"):
        charging.resolve_action(sandbox.world, charge_id, now, approved=decision == "approve")
    return RedirectResponse(charge.action_url, 303, _HEADERS)


def _setup_page(
    sandbox: Sandbox, session: SetupSession, status: int = 200, error: str = ""
) -> Response:
    methods = list(sandbox.world.dialect.methods.values())
    return _page(
        sandbox,
        "setup.html" if session.status == "open" else "closed.html",
        status,
        session=session,
        groups=[(title, list(rows)) for title, rows in groupby(methods, _group)],
        usual=methods[0].key,
        error=error,
        back=session.cancel_url if session.status != "complete" else _way_back(sandbox, session),
    )


def _group(magic: Magic) -> str:
    lossy = magic.line is not Line.CLEAR
    return _TROUBLE if lossy else _KINDS[magic.kind]


def _missing(sandbox: Sandbox) -> Response:
    return _page(sandbox, "missing.html", 404)


def _page(sandbox: Sandbox, template: str, status: int = 200, **values: Any) -> Response:
    name = sandbox.world.dialect.name
    html = _templates.get_template(template).render(processor=name, **values)
    return HTMLResponse(html, status, _HEADERS)


async def _field(request: Request, name: str) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body).get(name, [""])[0]


def _way_back(sandbox: Sandbox, session: SetupSession) -> str:
    parts = urlsplit(session.return_url)
    added = sandbox.world.dialect.way_back(session)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *added.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _amount(sandbox: Sandbox, charge: Charge, request: Request) -> str:
    """In this processor's own units, as the reader's browser wants it."""
    value = Decimal(charge.amount).scaleb(-sandbox.world.dialect.exponents[charge.currency])
    return written(value, charge.currency, _locale(request))


def _locale(request: Request) -> Locale:
    """The first language that the browser names, where it is one that babel knows."""
    first = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0]
    try:
        return Locale.parse(first.strip(), sep="-")
    except (ValueError, UnknownLocaleError):
        return ENGLISH
