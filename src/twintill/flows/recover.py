"""After a restore, or a fail-over that lost something: learn what the lost time did.

Keys, references and marks are deterministic, so both other books can be asked for it: Stripe's
marks say which attempts of an invoice were begun, a processor finds each by our own reference. No
charge begins meanwhile, through any processor; reports and look-ups go on. It may be repeated, and
interrupted: what agrees by then costs nothing but its place in Stripe's list, and a comparison of
what went back.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from twintill.errors import NotFoundError, SettingsError, StripeError
from twintill.flows import lost_refunds
from twintill.flows.lost_attempts import Finding, differs, learn_lost
from twintill.flows.means import Means
from twintill.ids import Scope, payment_id
from twintill.store import brakes, clock, payments
from twintill.stripe_billing.invoices import MarkedInvoice

BY = "recover"
_WHY = "what a lost time did is being looked for (`twintill recover`)"


@dataclass(frozen=True, slots=True)
class Progress:
    """One page of Stripe's invoices is done."""

    listed: int
    last_invoice_id: str | None  # `after` of a run that goes on behind it
    findings: tuple[Finding, ...]


async def hold(means: Means, scope: Scope) -> list[str]:
    """No charge begins from here on; which processors were not paused before."""
    async with means.database.begin() as db:
        names = sorted(means.processors)
        return [name for name in names if await brakes.trip(db, scope, name, _WHY, BY)]


async def let_go(means: Means, scope: Scope) -> dict[str, int]:
    """Both sides were read: release what `hold` paused, now or in an earlier run.

    What somebody else paused stays paused. Answers how many payments waited for each.
    """
    async with means.database.begin() as db:
        held = [b.processor for b in await brakes.all_on(db, scope) if b.tripped_by == BY]
        why = "both sides were read"
        return {name: await brakes.release(db, scope, name, BY, why) for name in held}


async def pages(
    means: Means, scope: Scope, within: timedelta, after: str | None = None
) -> AsyncIterator[Progress]:
    """Compare the invoices created `within` that time, newest first.

    Raises StripeError where Stripe's list cannot be read.
    """
    async with means.database.connect() as db:
        since = await clock.now(db) - within
    while page := await means.stripe.list_marked(since, starting_after=after):
        findings = [finding for seen in page for finding in await _compare(means, scope, seen)]
        after = page[-1].invoice.id
        yield Progress(len(page), after, tuple(findings))


async def _compare(means: Means, scope: Scope, seen: MarkedInvoice) -> list[Finding]:
    invoice_id = seen.invoice.id
    its_payment = payment_id(scope, invoice_id)
    async with means.database.connect() as db:
        try:
            known = await payments.read(db, scope, its_payment)
        except NotFoundError:
            known = None
    findings: list[Finding] = []
    if differs(known, seen):
        try:
            findings = await learn_lost(means, scope, seen)
        except (StripeError, SettingsError) as error:
            findings = [Finding(invoice_id, f"could not be read: {error}", incomplete=True)]
    said = await lost_refunds.compare_later(means, scope, its_payment, BY)
    return findings if said is None else [*findings, Finding(invoice_id, said)]
