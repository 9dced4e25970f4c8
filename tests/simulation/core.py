"""Random histories of one payment over the pure core, with an ideal store: no database, no I/O.

What hypothesis explores in `tests/domain/test_machine.py` with care, this does in bulk: the same
world and the same rules after every step, driven by plain random numbers from the seed.
"""

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.domain.world import CLOSED, TOLD, Does, Line, World
from twintill.domain import facts as f
from twintill.domain.decision import Decision
from twintill.domain.facts import (
    Answered,
    Fact,
    Via,
)
from twintill.domain.outcomes import Accepted, NeedsCustomer, NoAnswer

_METHODS = ("pm_a", "pm_b")
_DOES = tuple(Does)
_LINES = (*Line, Line.FINE, Line.FINE)
_PAUSES_S = (5, 60, 3600, 6 * 3600, 86_400, 4 * 86_400, 25 * 86_400)
_STEPS = (5, 40)
_STEPS_TO_AN_END = 90  # provisional money may stay so for 60 days, and is asked for daily


@dataclass(frozen=True)
class History:
    """`wrong`: the rule that broke, None when all held."""

    seed: int
    charges: int
    wrong: str | None


class _Told(World):
    """Says what it learns."""

    lines: list[str]

    def learn(self, fact: Fact) -> Decision:
        before = self.payment
        decision = super().learn(fact)
        self.lines.append(
            f"{self.now:%m-%d %H:%M:%S}   learns {fact}: {before.state} -> {self.payment.state}"
            f" {self.payment.reason or ''} {self.payment.parked_why or ''}".rstrip()
        )
        return decision


def live(seed: int, lines: list[str] | None = None) -> History:
    """One history; `lines` gets what happened, in order."""
    rng = random.Random(f"{seed}/core")
    world = World() if lines is None else _Told()
    if isinstance(world, _Told) and lines is not None:
        world.lines = lines
    world.looks_up = rng.random() < 0.5
    world.replays_first_answer = rng.random() < 0.5
    try:
        for _ in range(rng.randrange(*_STEPS)):
            deed = rng.choice(_DEEDS)
            if lines is not None:
                lines.append(f"{world.now:%m-%d %H:%M:%S} {deed.__name__.strip('_')}")
            deed(world, rng)
        _come_to_an_end(world)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is what was looked for
        if lines is not None:
            lines.append(f"WRONG {_what(error)}")
        return History(seed, len(world.there), _what(error))
    return History(seed, len(world.there), None)


def _what(error: Exception) -> str:
    """An assertion without words says what it asserts."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error) or where.line}"


def _come_to_an_end(world: World) -> None:
    """From anywhere: with everybody healthy, it ends, or a person has been called."""
    world.braked = False
    for _ in range(_STEPS_TO_AN_END):
        if world.payment.ended or world.payment.parked_why is not None:
            return
        at = world.payment.next_look_at
        assert at is not None, "forgotten"
        world.now = max(world.now, at)
        for charge in world.there.values():
            if isinstance(charge.now, Accepted | NeedsCustomer):
                world.settle(charge, kindly=True)
            world.make_final(charge)
        for given in world.back.there.values():
            world.back.settle(given, kindly=True)
        world.look(Does.APPROVE, Line.FINE, "pm_a")
    raise AssertionError(f"wedged: {world.payment}")


def _time_passes(world: World, rng: random.Random) -> None:
    world.now += timedelta(seconds=rng.choice(_PAUSES_S))


def _a_worker_looks(world: World, rng: random.Random) -> None:
    at = world.payment.next_look_at
    world.now = max(world.now, at) if at is not None else world.now
    does, line, method = rng.choice(_DOES), rng.choice(_LINES), rng.choice(_METHODS)
    world.look(does, line, method, readable=rng.random() < 0.8)


def _a_worker_takes_the_last_look(world: World, rng: random.Random) -> None:
    world.take_look(rng.choice(_METHODS))


def _what_it_prepared_comes_later(world: World, rng: random.Random) -> None:
    if world.taken:
        fact = world.taken.pop(rng.randrange(len(world.taken)))
        world.come(fact, rng.choice(_DOES), rng.choice(_LINES))


def _a_webhook_tells_news_old_or_new(world: World, rng: random.Random) -> None:
    if world.there:
        charge = rng.choice(list(world.there.values()))
        world.learn(Answered(charge.attempt.id, rng.choice(charge.states), Via.RECORD))


def _an_answer_without_worth_comes(world: World, rng: random.Random) -> None:
    if world.payment.attempts:
        attempt = rng.choice(world.payment.attempts)
        via = rng.choice((Via.STALE, Via.REPLAY, Via.EXACT_REPLAY, Via.RECORD))
        world.learn(Answered(attempt.id, NoAnswer("timed out"), via))
        world.learn(f.NotFoundThere(attempt.id, conclusive=False))


def _the_processor_makes_up_its_mind(world: World, rng: random.Random) -> None:
    if world.there:
        world.settle(rng.choice(list(world.there.values())), kindly=rng.random() < 0.5)


def _a_debit_comes_back(world: World, rng: random.Random) -> None:
    if world.there:
        world.fail_late(rng.choice(list(world.there.values())))


def _a_debit_becomes_final(world: World, rng: random.Random) -> None:
    if world.there:
        world.make_final(rng.choice(list(world.there.values())))


def _somebody_gives_it_back_by_hand(world: World, rng: random.Random) -> None:
    if world.payment.receipt_to_give_back:
        world.back.by_hand(rng.randrange(1, 5000))


def _a_refund_ends_and_is_told(world: World, rng: random.Random) -> None:
    if world.back.there:
        given = rng.choice(list(world.back.there.values()))
        world.back.settle(given, kindly=rng.random() < 0.5)
        world.back.tell(given, rng.randrange(20))


def _the_processor_is_paused_or_resumed(world: World, rng: random.Random) -> None:
    world.braked = rng.random() < 0.3


def _somebody_else_closes_the_invoice(world: World, rng: random.Random) -> None:
    if world.payment.attempts:
        world.closed_by_others(*rng.choice(CLOSED))


def _the_merchant_credits_some_of_it(world: World, rng: random.Random) -> None:
    world.credited(rng.randrange(1, 3000))


def _something_else_is_told(world: World, rng: random.Random) -> None:
    world.learn(rng.choice(TOLD))


def _a_worker_gives_up(world: World, _: random.Random) -> None:
    world.learn(f.LookGaveUp("KeyError"))


def _a_person_puts_it_back_to_work(world: World, _: random.Random) -> None:
    if world.payment.parked_why is not None:
        world.learn(f.Unparked("looked at"))


def _a_person_tells_what_the_processor_says(world: World, _: random.Random) -> None:
    attempt = world.payment.unresolved_attempt
    charge = world.there.get(attempt.idempotency_key) if attempt is not None else None
    if attempt is not None and charge is not None:
        world.learn(Answered(attempt.id, charge.now, Via.PERSON))


_DEEDS: tuple[Callable[[World, random.Random], None], ...] = (
    *(_a_worker_looks,) * 8,
    *(_time_passes, _a_webhook_tells_news_old_or_new, _the_processor_makes_up_its_mind) * 2,
    *(_a_worker_takes_the_last_look, _what_it_prepared_comes_later),
    *(_a_person_puts_it_back_to_work,) * 2,
    _an_answer_without_worth_comes,
    _a_debit_comes_back,
    *(_a_debit_becomes_final, _somebody_gives_it_back_by_hand, _a_refund_ends_and_is_told),
    _the_processor_is_paused_or_resumed,
    _somebody_else_closes_the_invoice,
    _the_merchant_credits_some_of_it,
    _something_else_is_told,
    _a_worker_gives_up,
    _a_person_tells_what_the_processor_says,
)
