"""Voiding, writing off and deleting because somebody asks for it: under the payment's lease.

Nothing in flight is dropped: it is refused while an attempt is out, or money waits for its report.
The call, then in one commit what Stripe answered, what the payment learns from it, and who did it.
"""

from collections.abc import Mapping

from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.invoicing import Step, cannot_be_closed
from twintill.errors import StripeRefused
from twintill.flows import resolve
from twintill.flows.invoicing import asked, fail, note, ours, stripes
from twintill.flows.learn import learn_within
from twintill.flows.looking import Looking
from twintill.flows.operating import Operating, Walk
from twintill.store import clock, mirror, payments, work
from twintill.store.work import PAYMENTS, Lease

_TRIES = 7  # a worker's look at the payment may be about to end
_BUSY = "Somebody works on its payment at this moment: try again in a minute."
_WANTED = {
    Step.VOID: (InvoiceStatus.VOID, "voided"),
    Step.MARK_UNCOLLECTIBLE: (InvoiceStatus.UNCOLLECTIBLE, "marked_uncollectible"),
    Step.DISCARD: (InvoiceStatus.DELETED, "deleted"),
}


async def close(operating: Operating) -> Operating | None:
    """Nobody else calls anybody about this invoice meanwhile."""
    async with operating.means.database.connect() as db:
        payment_id = await mirror.payment_of_invoice(
            db, operating.scope, operating.data["invoice_id"]
        )
    if payment_id is None:
        await _close(operating, None)
        return None
    async with operating.held(payment_id, tries=_TRIES) as lease:
        if lease is None:
            await _busy(operating)
            return None
        why_not = await _why_not(operating, lease)
        if why_not is not None:
            await fail(operating, ours(*why_not))
            return None
        if not operating.data.get("begun"):
            async with operating.means.database.begin() as db:
                operating = await operating.moved(db, operating.operation.step, begun=True)
        await _close(operating, lease)
    return None


async def _busy(operating: Operating) -> None:
    """What was begun, and may be done already, is gone on with; anything else is refused."""
    if operating.data.get("begun"):
        await operating.pause(operating.means.policy.look_pause, error=_BUSY)
    else:
        await fail(operating, ours("payment_busy", _BUSY))


async def _why_not(operating: Operating, lease: Lease) -> tuple[str, str] | None:
    async with operating.means.database.connect() as db:
        payment = await payments.read(db, operating.scope, lease.row_id)
        now = await clock.now(db)
    why_not = cannot_be_closed(payment, now)
    if why_not is not None:
        return why_not
    if await resolve.came_after_all(Looking(operating.means, lease, payment, now)):
        return "charge_out", "A charge that a person called not charged has to be asked for first."
    return None


async def _close(operating: Operating, lease: Lease | None) -> None:
    wanted, did = _WANTED[Step(operating.operation.step)]
    operating = await operating.with_good_key()
    try:
        look = await _call(operating)
    except StripeRefused as refused:
        look = await operating.means.stripe.read_invoice(operating.data["invoice_id"])
        if look.status is not wanted:
            await fail(operating, stripes(refused))
            return
    await _commit(operating, lease, look, did)


async def _call(operating: Operating) -> InvoiceLook:
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    match operating.operation.step:
        case Step.VOID:
            return await stripe.void(invoice_id, operating.key)
        case Step.MARK_UNCOLLECTIBLE:
            return await stripe.mark_uncollectible(invoice_id, operating.key)
    return await stripe.delete_draft(invoice_id)


async def _commit(operating: Operating, lease: Lease | None, look: InvoiceLook, did: str) -> None:
    scope, actor = operating.scope, asked(operating)["by"]
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, scope, look)
        # Asked for anew: it may have been opened since.
        payment_id = await mirror.payment_of_invoice(db, scope, look.invoice_id)
        if payment_id is not None:
            await learn_within(
                db, operating.means, scope, payment_id, InvoiceClosed(look), actor=actor
            )
        if lease is not None:
            await work.release(db, PAYMENTS, lease)
        failed = operating.data.get("failed")
        refused = None if failed is None else failed["message"]
        await note(db, operating, did, look.invoice_id, refused=refused)
        await operating.end(db, Step.DONE if failed is None else Step.FAILED)


STEPS: Mapping[str, Walk] = {
    Step.VOID: close,
    Step.MARK_UNCOLLECTIBLE: close,
    Step.DISCARD: close,
}
