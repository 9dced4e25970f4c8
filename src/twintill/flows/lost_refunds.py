"""After a restore: money that went back in the lost time, of payments that had been collected.

Nothing tells of it again: its webhooks were taken in by the database that was lost. So both sides
are compared, and until then nothing more of these payments goes back, or is credited.
"""

from twintill.domain.afterwards import owed
from twintill.domain.facts import Fact, LookGaveUp
from twintill.domain.payment import Payment
from twintill.domain.return_facts import MoneyBackTold
from twintill.errors import NotFoundError, SettingsError
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Processor, Refunds
from twintill.store import payments

_HINT = MoneyBackTold("a backup was restored")


async def compare_later(means: Means, scope: Scope, payment_id: str, actor: str) -> str | None:
    """A worker compares it; what a person has to look at first, in a sentence."""
    async with means.database.begin() as db:
        try:
            payment = (await payments.lock(db, scope, payment_id)).payment
        except NotFoundError:
            return None
        fact = _what_to_learn(means, payment)
        if fact is not None:
            await learn_within(db, means, scope, payment_id, fact, actor=actor)
    return fact.detail if isinstance(fact, LookGaveUp) else None


def _what_to_learn(means: Means, payment: Payment) -> Fact | None:
    goes_back = payment.next_ask is not None or owed(payment) is not None
    if payment.receipt_to_give_back is not None or goes_back:
        blind = _cannot_list(means, payment)
        if blind is not None and payment.parked_why is None:
            return LookGaveUp(
                "money of it is to go back, which a lost time may have done, and "
                f"{blind} cannot list its refunds: look there, then unpark it"
            )
    tells = payment.reported_minor or payment.unapplied_minor
    return _HINT if tells and payment.compare_at is None else None


def _cannot_list(means: Means, payment: Payment) -> str | None:
    """A processor that took money of it, and that cannot be asked what it gave back."""
    brought = {r.attempt_id for r in payment.receipts}
    for attempt in payment.attempts:
        if attempt.id in brought:
            try:
                processor = means.processor(attempt.processor, attempt.processor_account_id)
            except SettingsError:
                return attempt.processor
            if not _lists(processor):
                return processor.capabilities.display_name
    return None


def _lists(processor: Processor) -> bool:
    return isinstance(processor, Refunds) and processor.capabilities.finds_refunds
