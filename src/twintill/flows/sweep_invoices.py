"""The duty that lists the open invoices at Stripe once a day, whatever was delivered.

One without a payment gets one, exactly as if its invoice.finalized had come. A payment of ours
that waits, and whose invoice is not among the open ones any more, gets a look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from twintill.domain.facts import InvoiceTouched
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused
from twintill.flows import invoices
from twintill.flows.duty import Ran
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.verdict import DONE
from twintill.ids import Scope
from twintill.store import clock, pace, sweeping
from twintill.stripe_billing.connection import PAGE
from twintill.stripe_billing.shapes import InvoiceShape, complaint

EVERY = timedelta(days=1)
_LATER = timedelta(hours=1)  # no reads are left: tomorrow comes some time
_TOUCHED_PER_RUN = 100
_ACTOR = "sweep_invoices"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Where a sweep is: JSON of the duty's cursor."""

    began_at: str  # ours, ISO; it looks at invoices and payments that are older
    listing: bool = True  # then come the payments whose invoices were not listed
    created_lte: int | None = None  # Stripe's time, unix seconds: where the list goes on
    after: str | None = None  # ... behind this invoice
    touched_to: str = ""  # payments are looked at in the order of their ids
    # What it found so far:
    listed: int = 0
    opened: int = 0
    failed: int = 0
    ended_here: int = 0  # open at Stripe, while our payment has ended
    touched: int = 0
    reads: int = 0


async def sweep_invoices(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page of the list, or of the payments that it did not name."""
    async with means.database.connect() as db:
        now = await clock.now(db)
        left = await pace.reads_left(db, scope, means.stripe_reads_per_day)
    sweep = Sweep(**cursor) if cursor else Sweep(began_at=now.isoformat())
    if sweep.listing and left <= 0:
        return Ran(_LATER, _result(sweep), asdict(sweep))
    sweep = await (_list if sweep.listing else _touch)(means, scope, sweep)
    if sweep.listing or sweep.touched_to:
        return Ran(timedelta(0), _result(sweep), asdict(sweep))
    return Ran(EVERY, _result(sweep), {})


async def _list(means: Means, scope: Scope, sweep: Sweep, size: int = PAGE) -> Sweep:
    began = datetime.fromisoformat(sweep.began_at)
    until = _time(sweep.created_lte) if sweep.created_lte is not None else began
    try:
        page = await means.stripe.list_open_invoices(until, starting_after=sweep.after, limit=size)
    except StripeRefused:
        if sweep.after is None:
            raise
        # The one that we had come to is not in the list any more: the time tells the place, too.
        return replace(sweep, after=None)
    sweep = await _see(means, scope, sweep, page)
    if len(page) < size:
        return replace(sweep, listing=False, touched_to=" ")
    last = page[-1]
    return replace(sweep, created_lte=int(last["created"]), after=str(last["id"]))


async def _see(means: Means, scope: Scope, sweep: Sweep, page: Sequence[dict[str, Any]]) -> Sweep:
    """What a page shows; one that cannot be taken in blocks no other."""
    ids = [str(raw["id"]) for raw in page]
    async with means.database.connect() as db:
        settled = await sweeping.settled(db, scope, ids)
    opened = failed = 0
    for raw in page:
        if str(raw["id"]) in settled:
            continue
        try:
            opened += await _see_one(means, scope, raw)
        except Exception as error:  # noqa: BLE001 -- nobody waits for another one's trouble
            failed += 1
            _log.warning("invoice_not_swept", invoice=raw["id"], why=_why(error))
    async with means.database.begin() as db:
        await sweeping.listed(db, scope, ids)
    return replace(
        sweep,
        reads=sweep.reads + 1,
        listed=sweep.listed + len(page),
        opened=sweep.opened + opened,
        failed=sweep.failed + failed,
        ended_here=sweep.ended_here + sum(settled.values()),
    )


async def _see_one(means: Means, scope: Scope, raw: dict[str, Any]) -> bool:
    """Whether it was one for us to collect."""
    invoice = InvoiceShape.model_validate(raw)
    async with means.database.begin() as db:
        verdict = await invoices.saw_invoice(
            db, means, scope, invoice, InvoiceStatus.OPEN, what=_ACTOR, actor=_ACTOR
        )
    return verdict == DONE


def _why(error: Exception) -> str:
    """Without values of the invoice: they may be personal data."""
    return complaint(error) if isinstance(error, ValidationError) else repr(error)


async def _touch(means: Means, scope: Scope, sweep: Sweep) -> Sweep:
    """Payments that wait although Stripe does not list their invoice as open."""
    began = datetime.fromisoformat(sweep.began_at)
    async with means.database.connect() as db:
        waiting = await sweeping.not_listed(db, scope, began, sweep.touched_to, _TOUCHED_PER_RUN)
    for payment_id in waiting:
        async with means.database.begin() as db:
            await sweeping.doubt(db, scope, payment_id)
            await learn_within(db, means, scope, payment_id, InvoiceTouched(_ACTOR), actor=_ACTOR)
    full = len(waiting) == _TOUCHED_PER_RUN
    return replace(
        sweep, touched=sweep.touched + len(waiting), touched_to=waiting[-1] if full else ""
    )


def _result(sweep: Sweep) -> dict[str, Any]:
    left_out = ("listing", "created_lte", "after", "touched_to")
    return {k: v for k, v in asdict(sweep).items() if k not in left_out}


def _time(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, tz=UTC)
