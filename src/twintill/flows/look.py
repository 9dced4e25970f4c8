"""A look at one payment: claim it, do the one thing that its state asks for, give it back.

Every step ends in a fact learned: the fact, the decision and the release of the lease are one
commit. A crash anywhere leaves the lease to run out and the next worker to look again.
"""

from typing import assert_never

import structlog

from twintill.domain import steps
from twintill.domain.facts import LookFailed, LookGaveUp
from twintill.errors import SettingsError, StripeError
from twintill.flows import both_sides, charge, conclude, dispute, refund, report, resolve
from twintill.flows.looking import Looking
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import clock, payments, work
from twintill.store.work import PAYMENTS

_log = structlog.get_logger(__name__)
_FAILURES_MAX = 10


async def look(means: Means, scope: Scope, payment_id: str) -> bool:
    """Do what is due on this payment now; False for a stale bell (nothing was due, or it is held).

    Raises nothing but database errors: whatever else goes wrong is a fact on the payment.
    """
    async with means.database.begin() as db:
        lease = await work.claim(db, PAYMENTS, scope, payment_id)
        if lease is None:
            return False
        payment = await payments.read(db, scope, payment_id)
        now = await clock.now(db)
    looking = Looking(means, lease, payment, now)
    try:
        await _step(looking)
    except StripeError as error:
        await looking.learn(LookFailed(f"{type(error).__name__}: {error}"))
    except Exception as error:  # noqa: BLE001 -- one payment's bug must not stop the others
        await _failed(looking, error)
    return True


async def _step(looking: Looking) -> None:
    step = steps.next_step(looking.payment)
    match step:
        case steps.Charge():
            await charge.charge(looking)
        case steps.Report():
            await report.report(looking, looking.payment)
        case steps.Resolve(attempt):
            await resolve.resolve(looking, attempt)
        case steps.Ask(attempt):
            await resolve.ask(looking, attempt)
        case steps.Conclude():
            await conclude.conclude(looking)
        case steps.Rest():
            await looking.rest()
        case _:
            await _step_back(looking, step)


async def _step_back(looking: Looking, step: steps.StepBack) -> None:
    """Of money that goes back, or may have to."""
    match step:
        case steps.GiveBack(receipt):
            await refund.give_back(looking, receipt)
        case steps.AskRefund(out):
            await refund.ask(looking, out)
        case steps.Compare():
            await both_sides.compare(looking)
        case steps.GiveReportedBack(receipt):
            await refund.give_reported_back(looking, receipt)
        case steps.Credit():
            await both_sides.credit(looking)
        case steps.AskDispute(claim):
            await dispute.ask(looking, claim)
        case _:
            assert_never(step)


async def _failed(looking: Looking, error: Exception) -> None:
    """Nothing that was foreseen: seen on the payment, tried again, then parked for a person."""
    # A processor that left the settings says so in a sentence; anything else is a bug of ours.
    named = isinstance(error, SettingsError)
    detail = str(error) if named else f"{type(error).__name__}: {error}"
    _log.error("look_failed", payment=looking.payment.id, error=detail, exc_info=error)
    if looking.payment.unreadable >= _FAILURES_MAX:
        await looking.learn(LookGaveUp(detail))
    else:
        await looking.learn(LookFailed(detail))
