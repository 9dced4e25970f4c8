"""A person resolves an attempt that nobody answered: the word, the processor's own record, a fact.

Under the payment's lease, so that no worker calls the processor meanwhile. What the processor
shows comes before what anybody says; see `domain.person` for when a word is taken.
"""

from dataclasses import dataclass

from twintill.domain import person
from twintill.domain.decision import Decision
from twintill.domain.facts import (
    Answered,
    Evidence,
    Fact,
    PersonSaid,
    Via,
)
from twintill.domain.outcomes import LookUp, NoAnswer, NotFound
from twintill.domain.payment import Attempt, Outcome, Payment
from twintill.domain.person import Learned, Refused, Taken
from twintill.errors import ConflictError, SettingsError
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.resolve import window_of
from twintill.flows.searching import search_of
from twintill.ids import Scope
from twintill.processors import LookUpBy, Processor
from twintill.store import attempts, clock, payments, work
from twintill.store.work import PAYMENTS, Lease


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a payment's unresolved attempt, and what he goes by."""

    charged: str | None  # the processor's payment id; None: it was not charged
    why: str
    actor: str
    evidence: Evidence | None = None
    attempt_id: str | None = None  # None: whichever is unresolved
    without_asking: bool = False
    even_though_it_may_arrive: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """The payment as it is now, its attempt, and whether the processor knew better."""

    payment: Payment
    attempt: Attempt
    heard: str
    learned_instead: bool = False
    known_before: bool = False


async def resolve(means: Means, scope: Scope, payment_id: str, word: Word) -> Resolved:
    """Take the word, or learn what the processor shows instead.

    Repeated, it answers what is known. Raises NotFoundError, and ConflictError (nothing changed)
    with the rule that forbids it.
    """
    async with means.database.begin() as db:
        payment = (await payments.lock(db, scope, payment_id)).payment
        now = await clock.now(db)
        known = _known_before(payment, word)
        if known is not None:
            return Resolved(payment, known, "", known_before=True)
        attempt = _unresolved(payment, word)
        lease = await work.hold(db, PAYMENTS, scope, payment_id)
    if lease is None:
        raise ConflictError(
            f"A worker is looking at {payment_id} right now: try again in a minute.",
            code="payment_busy",
        )
    holding = _Holding(means, lease, attempt)
    try:
        if word.charged is not None:
            verdict: person.Taken | Learned | Refused = await _charged(holding, word, word.charged)
        else:
            processor = holding.processor
            verdict = person.judge_not_charged(
                attempt,
                await _ask(holding),
                window_of(processor.capabilities) if isinstance(processor, Processor) else None,
                means.policy,
                now,
                without_asking=word.without_asking,
                even_though=word.even_though_it_may_arrive,
            )
        return await _learn(holding, word, verdict)
    except BaseException:
        await holding.give_back()
        raise


@dataclass(frozen=True, slots=True)
class _Holding:
    """The payment's lease, and whom to ask about the attempt."""

    means: Means
    lease: Lease
    attempt: Attempt

    @property
    def processor(self) -> Processor | NoAnswer:
        """NoAnswer: it is not configured any more, so nobody can be asked."""
        try:
            return self.means.processor(self.attempt.processor, self.attempt.processor_account_id)
        except SettingsError as error:
            return NoAnswer(str(error).rstrip("."))

    async def give_back(self) -> None:
        async with self.means.database.begin() as db:
            await work.release(db, PAYMENTS, self.lease)

    async def keep(self) -> None:
        """Before another call, so that the lease outlasts it. Raises ConflictError."""
        async with self.means.database.begin() as db:
            if not await work.keep(db, PAYMENTS, self.lease):
                raise _lost()


async def _charged(holding: _Holding, word: Word, charge_id: str) -> Taken | Refused:
    attempt, scope = holding.attempt, holding.lease.scope
    async with holding.means.database.connect() as db:
        other = await attempts.find(
            db,
            scope,
            attempt.processor_account_id,
            reference=None,
            processor_payment_id=charge_id,
        )
    if other is not None and other.attempt_id != attempt.id:
        why = f"{charge_id} is known as the money of {other.attempt_id}, of {other.payment_id}"
        return Refused("known_as_another", why)
    processor = holding.processor
    if isinstance(processor, NoAnswer):
        shown: LookUp = processor
        by_reference: LookUp | None = None
    else:
        shown = await processor.get_charge(charge_id)
        await holding.keep()
        by_reference = await _by_reference(holding, processor)
    return person.judge_charged(
        attempt, charge_id, shown, by_reference, without_asking=word.without_asking
    )


async def _ask(holding: _Holding) -> LookUp | None:
    """What the processor knows of the attempt; None: it has no way to be asked."""
    processor, attempt = holding.processor, holding.attempt
    if isinstance(processor, NoAnswer):
        return processor
    if attempt.processor_payment_id is not None:
        found = await processor.get_charge(attempt.processor_payment_id)
        if not isinstance(found, NotFound):
            return found
        await holding.keep()
    return await _by_reference(holding, processor)


async def _by_reference(holding: _Holding, processor: Processor) -> LookUp | None:
    """Where the look-up is no reliable one, finding nothing says nothing."""
    look_up = processor.capabilities.look_up
    if look_up is LookUpBy.NONE:
        return None
    search = search_of(holding.means, holding.lease.scope, holding.attempt)
    found = await processor.find_charge(search)
    if look_up is LookUpBy.SCAN and isinstance(found, NotFound):
        return None
    return found


async def _learn(holding: _Holding, word: Word, verdict: Taken | Learned | Refused) -> Resolved:
    """The fact, the decision and the end of the lease are one commit. Raises ConflictError."""
    attempt = holding.attempt
    match verdict:
        case Refused(code, sentence):
            raise ConflictError(f"Refused: {sentence}.", code=code)
        case Learned(outcome):
            fact: Fact = Answered(attempt.id, outcome, Via.RECORD)
            heard = f"the processor shows it as {type(outcome).__name__.lower()}"
        case Taken(outcome, heard):
            fact = PersonSaid(attempt.id, outcome, word.why, heard, word.evidence)
    decision = await _commit(holding, fact, word.actor)
    after = next(a for a in decision.payment.attempts if a.id == attempt.id)
    return Resolved(decision.payment, after, heard, learned_instead=isinstance(verdict, Learned))


async def _commit(holding: _Holding, fact: Fact, actor: str) -> Decision:
    lease = holding.lease
    async with holding.means.database.begin() as db:
        if not await work.keep(db, PAYMENTS, lease):
            raise _lost()
        decision = await learn_within(
            db, holding.means, lease.scope, lease.row_id, fact, actor=actor
        )
        await work.release(db, PAYMENTS, lease)
    return decision


def _known_before(payment: Payment, word: Word) -> Attempt | None:
    """The attempt of which this very word is known already, when nothing is out any more."""
    if payment.unresolved_attempt is not None:
        named = next((a for a in payment.attempts if a.id == word.attempt_id), None)
        candidates = [named] if named is not None else []
    else:
        candidates = [a for a in payment.attempts if word.attempt_id in (None, a.id)]
    for attempt in reversed(candidates):
        if word.charged is not None:
            same = attempt.processor_payment_id == word.charged
            if same and attempt.outcome is Outcome.APPROVED:
                return attempt
        elif attempt.outcome is Outcome.NOT_SENT:
            return attempt
    return None


def _unresolved(payment: Payment, word: Word) -> Attempt:
    attempt = payment.unresolved_attempt
    if attempt is None:
        raise ConflictError(
            f"Refused: no attempt of {payment.id} waits for an answer (it is {payment.state}).",
            code="nothing_to_resolve",
        )
    if word.attempt_id not in (None, attempt.id):
        raise ConflictError(
            f"Refused: it is {attempt.id} that waits for an answer, not {word.attempt_id}.",
            code="another_attempt",
            param="attempt",
        )
    return attempt


def _lost() -> ConflictError:
    return ConflictError(
        "The processor took too long to answer, and a worker looks at the payment by now: "
        "nothing was changed, try again.",
        code="payment_busy",
    )
