"""A look at one operation: claim it, go from step to step, each committed, until it has to wait.

Driven by a door for speed and by a worker when the door has died; both walk the same steps.
"""

import asyncio
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from twintill.domain import follow_on as follow_ons
from twintill.domain.drafting import DEED, WINDOW
from twintill.domain.invoicing import KIND as INVOICING
from twintill.domain.policy import pause_after
from twintill.domain.switching import KIND as SWITCH
from twintill.domain.tax import KIND as TAX
from twintill.errors import (
    ProcessorRefused,
    ProcessorUnreachable,
    SettingsError,
    StripeForbidden,
    StripeRefused,
    StripeThrottled,
    StripeUnreadable,
    VaultError,
)
from twintill.flows import (
    cancelling,
    cataloguing,
    changing,
    closing_invoices,
    consequences,
    default_method,
    draft_window,
    drop_tokens,
    fate,
    first_payment,
    follow_on,
    itemizing,
    making_invoices,
    methods,
    review_deeds,
    revoked,
    signup,
    switches,
    tax,
)
from twintill.flows.means import Means
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope
from twintill.store import operations
from twintill.store.operations import LeaseLost

_log = structlog.get_logger(__name__)

# Each with its steps; tests/flows/operation_stories.py has a story of each.
KINDS: Mapping[str, Mapping[str, Walk]] = {
    signup.KIND: signup.STEPS,
    methods.REPLACE: methods.REPLACE_STEPS,
    methods.REMOVE: methods.REMOVE_STEPS,
    drop_tokens.KIND: drop_tokens.STEPS,
    default_method.KIND: default_method.STEPS,
    follow_ons.KIND: follow_on.STEPS,
    revoked.KIND: revoked.STEPS,
    first_payment.KIND: first_payment.STEPS,
    SWITCH: switches.STEPS,
    cancelling.KIND: cancelling.STEPS,
    changing.KIND: changing.STEPS,
    consequences.DISPUTE_FATE: fate.STEPS,
    TAX: tax.STEPS,
    INVOICING: {
        **making_invoices.STEPS,
        **closing_invoices.STEPS,
        **itemizing.STEPS,
        **cataloguing.STEPS,
    },
    WINDOW: draft_window.STEPS,
    DEED: review_deeds.STEPS,
}

_LATER = (StripeUnreadable, StripeThrottled, StripeForbidden, ProcessorUnreachable)
_FOR_A_PERSON = (StripeRefused, ProcessorRefused, SettingsError, VaultError)
_POLL_S = 0.1
_STEPS_MAX = 200  # of one look: more than any operation has; a switch has some for each invoice
_FAILURES_MAX = 10  # of a kind that is a bug of ours


async def look(means: Means, scope: Scope, operation_id: str) -> bool:
    """Do all that can be done now; False for a stale bell. Raises nothing but database errors."""
    async with means.database.begin() as db:
        claimed = await operations.claim(db, scope, operation_id)
    if claimed is None:
        return False
    operating: Operating | None = Operating(means, claimed)
    for _ in range(_STEPS_MAX):
        if operating is None:
            return True
        operating = await _step(operating)
    if operating is not None:
        await operating.pause(means.policy.look_pause, error="it goes round in circles")
    return True


async def drive(means: Means, scope: Scope, operation_id: str, *, patience_s: float = 0) -> None:
    """Look now, whatever the time: for doors, while a customer or a caller waits.

    Where a worker holds it, the worker does it; the door waits for that as long as it likes.
    """
    async with means.database.begin() as db:
        await operations.ring(db, scope, operation_id, bell=False)
    waits = range(int(patience_s / _POLL_S) + 1)
    for _ in waits:
        if await look(means, scope, operation_id) or not patience_s:
            return
        async with means.database.connect() as db:
            held = await operations.is_held(db, scope, operation_id)
        if not held:
            # Who held it may have looked too early for what we rang for; then it is still due.
            await look(means, scope, operation_id)
            return
        await asyncio.sleep(_POLL_S)


async def _step(operating: Operating) -> Operating | None:
    """One step; whatever goes wrong is written on the row and ends this look."""
    operation = operating.operation
    step = KINDS.get(operation.kind, {}).get(operation.step)
    if step is None:
        await _again(operating, f"a newer version knows the step {operation.step}")
        return None
    try:
        return await step(operating)
    except LeaseLost:
        return None
    except (SQLAlchemyError, OSError):
        raise
    except _LATER as error:
        answered = isinstance(error, StripeUnreadable) and error.request_id is not None
        await _again(operating, str(error), answered=answered)
    except _FOR_A_PERSON as error:
        await _park(operating, str(error))
    except Exception as error:  # noqa: BLE001 -- one operation's bug must not stop the others
        _log.error("operation_failed", operation=operating.id, exc_info=error)
        await _failed(operating, f"{type(error).__name__}: {error}")
    return None


async def _again(operating: Operating, why: str, *, answered: bool = False) -> None:
    wait = pause_after(operating.means.policy.stripe_pauses, operating.failures)
    try:
        await operating.pause(wait, error=why, answered=answered)
    except LeaseLost:
        _log.info("operation_taken_over", operation=operating.id)


async def _park(operating: Operating, why: str) -> None:
    try:
        await operating.park(why)
    except LeaseLost:
        _log.info("operation_taken_over", operation=operating.id)


async def _failed(operating: Operating, why: str) -> None:
    if operating.failures >= _FAILURES_MAX:
        await _park(operating, why)
    else:
        await _again(operating, why)
