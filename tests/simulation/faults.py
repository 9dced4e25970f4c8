"""What goes wrong, and how often: the weather of a world, and the network that it falls on."""

import asyncio
import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from tests.simulation.loop import must_be_alive
from tests.simulation.trace import Trace
from twintill.domain.policy import (
    AtEnd,
    Exhausted,
    FailedAfterReport,
    Fate,
    LostDispute,
    Partial,
    Policy,
    ReportWhen,
)

T = TypeVar("T")
GIVES_UP_S = 72 * 3600.0  # after that nobody sends a webhook again
_FOR_EVER_S = 10_000.0


class Hit(StrEnum):
    """What happens to one request."""

    NONE = "arrives"
    REFUSED = "refused"  # no byte left
    LOST_REQUEST = "request lost"
    LATE_REQUEST = "request delayed past its time-out"
    LOST_ANSWER = "acts, answer lost"
    SLOW = "acts, slow answer"
    ERROR_BEFORE = "error 500, did nothing"
    ERROR_AFTER = "acts, error 500"
    GARBLED = "acts, unreadable answer"
    RESET = "acts, connection reset"
    THROTTLED = "429"
    FORBIDDEN = "401"


NEVER_ARRIVES = (Hit.REFUSED, Hit.ERROR_BEFORE, Hit.THROTTLED, Hit.FORBIDDEN, Hit.LOST_REQUEST)


@dataclass(frozen=True)
class Weather:
    """Shares of 1, drawn anew for each world, so that some worlds have much of one thing."""

    processor_faults: float
    stripe_faults: float
    favourite: Hit
    deaths: float  # per look
    cuts: float  # per look: all database connections
    mischief: float  # per look: somebody changes the invoice or the method right now
    stalls: float  # per answer: the process stands still, longer than its lease
    lost_bells: float
    lost_webhooks: float  # per delivery: the request, or our answer to it
    deaf_s: float  # from the start: no webhook arrives
    lost_day: bool  # the database of some time ago is all that is left
    forgeries: float  # per invoice
    two_copies: bool  # another installation runs with the same keys
    storm_s: float  # after that everybody behaves
    money_back: float = 0.0  # per invoice: refunds and credit notes of what Stripe was told
    disputes: float = 0.0  # per invoice
    partial: float = 0.0  # per customer: his card may approve a part
    moves: float = 0.0  # per customer: switched, cancelled or revoked by somebody's decision
    taxes: float = 0.0  # per customer: without an address that taxes could be reckoned by
    haste: float = 0.0  # per closing, and per look: people act before we could
    withdrawals: float = 0.0  # per customer: every method of his, while his subscription lives
    returns: float = 0.0  # per customer: left to Stripe, which cannot charge him either
    demands: float = 0.0  # per invoice: a refund of it is asked for again and again
    trials: float = 0.0  # per customer: begins with an invoice of nothing
    rush: bool = False  # all is billed at once, by mistake, and voided when it is paid
    farewells: float = 0.0  # per invoice: it is the last one, and told of long after the end
    overtaken: float = 0.0  # per last look: it closes, and an event tells us before the answer
    falls_back: bool = False  # the database, by some hours, and nobody knows
    cheques: float = 0.0  # per invoice, several times: somebody has money for it in hand


def weather(
    rng: random.Random,
    later: random.Random,
    hasty: random.Random,
    leaving: random.Random,
    by_hand: random.Random,
) -> Weather:
    """`later` is for what comes after the first payment: a good third of the worlds have none."""

    def often(*choices: float) -> float:
        return rng.choice(choices)

    hits = [hit for hit in Hit if hit is not Hit.NONE]
    return Weather(
        processor_faults=often(0.0, 0.3, 0.7),
        stripe_faults=often(0.0, 0.05, 0.2, 0.4),
        favourite=rng.choice(hits),
        deaths=often(0.0, 0.03, 0.15),
        cuts=often(0.0, 0.0, 0.05),
        mischief=often(0.0, 0.2, 0.6),
        stalls=often(0.0, 0.05, 0.4),
        lost_bells=often(0.0, 0.2),
        lost_webhooks=often(0.0, 0.1, 0.4),
        deaf_s=often(*(0.0,) * 8, 3600.0, GIVES_UP_S),
        lost_day=rng.random() < 0.1,
        forgeries=often(0.0, 0.3, 0.9),
        two_copies=rng.random() < 0.08,
        storm_s=often(0.2, 1.0, 4.0) * 86_400,
        **_afterwards(later),
        haste=hasty.choice((0.0, 0.0, 0.0, 0.3, 0.9)),
        rush=hasty.random() < 0.15,
        withdrawals=leaving.choice((*(0.0,) * 8, 0.9)),
        returns=leaving.choice((*(0.0,) * 8, 0.9)),
        demands=leaving.choice((*(0.0,) * 8, 0.9)),
        trials=leaving.choice((*(0.0,) * 8, 0.9)),
        farewells=hasty.choice((0.0,) * 11 + (0.8,)),
        overtaken=hasty.choice((0.0,) * 15 + (0.5,)),
        falls_back=hasty.random() < 0.05,
        cheques=by_hand.choice((*(0.0,) * 6, 0.5, 0.9)),
    )


def of_doubts(drawn: Weather) -> Weather:
    """The processor's answers are lost, webhooks and bells may be, and processes die; else calm."""
    return replace(
        drawn,
        money_back=0.0,
        disputes=0.0,
        partial=0.0,
        moves=0.0,
        taxes=0.0,
        processor_faults=0.5,
        stripe_faults=0.0,
        mischief=0.0,
        forgeries=0.0,
        lost_day=False,
        two_copies=False,
        storm_s=4 * 86_400.0,
        haste=0.0,
        withdrawals=0.0,
        returns=0.0,
        demands=0.0,
        rush=False,
        farewells=0.0,
        overtaken=0.0,
        falls_back=False,
        cheques=0.0,
    )


def _afterwards(rng: random.Random) -> dict[str, float]:
    parts = ("money_back", "disputes", "partial", "moves", "taxes")
    if rng.random() < 0.4:
        return {}
    return {part: rng.choice((0.0, 0.0, 0.4, 0.9)) for part in parts}


def policy(rng: random.Random) -> Policy:
    """What the operator set: the defaults as often as not, each setting on its own otherwise."""

    def hours(*choices: float) -> timedelta:
        return timedelta(hours=rng.choice(choices))

    if rng.random() < 0.3:
        return Policy()
    pauses = rng.choice(((1, 3, 5), (1,), (2, 2), ()))
    return Policy(
        retry_pauses=tuple(timedelta(days=days) for days in pauses),
        retry_span=timedelta(days=rng.choice((3, 15))),
        due_margin=hours(1, 12, 24 * 29),
        doubt_deadline=hours(9, 24, 72),
        pending_pause=hours(6, 24),
        pending_deadline=timedelta(days=rng.choice((10, 21))),
        look_pause=hours(6, 24),
        exhausted=rng.choice(tuple(Exhausted)),
        open_invoices_at_end=rng.choice(tuple(AtEnd)),
        failed_after_report=rng.choice(tuple(FailedAfterReport)),
        refunds_per_hour=rng.choice((20, 1)),
        refund_minor_per_hour=rng.choice((1_000_000, 5000)),
        refunds_without_share=rng.choice((3, 0)),
    )


def policy_afterwards(policy: Policy, weather: Weather, rng: random.Random) -> Policy:
    """The same for what comes after the first payment, in worlds that have it."""
    if weather.disputes:
        policy = replace(
            policy,
            lost_dispute=rng.choice(tuple(LostDispute)),
            dispute_opened=rng.choice((Fate.NOTHING, *Fate)),
            dispute_lost=rng.choice((Fate.NOTHING, *Fate)),
        )
    if weather.partial:
        policy = replace(policy, partial=rng.choice((Partial.SPLIT, *Partial)))
    if weather.demands:  # nearly each automatic refund waits for a person
        policy = replace(policy, refunds_without_share=0)
    if weather.money_back or weather.disputes:
        policy = replace(policy, report_when=rng.choice((ReportWhen.CONFIRMED, *ReportWhen)))
    return policy


@dataclass(frozen=True)
class Answer(Generic[T]):
    """How a request ended for its sender; `value` only where an answer can be read."""

    hit: Hit
    value: T | None = None


class Network:
    """Carries requests to the outside; what is on its way outlives the process that sent it."""

    def __init__(self, rng: random.Random, weather: Weather, trace: Trace, start_s: float) -> None:
        self.rng, self.weather, self.trace = rng, weather, trace
        self.calm_from_s = start_s + weather.storm_s
        self.under_way: set[asyncio.Task[object]] = set()
        self.linger_s = 0.0  # what the answer of the request that acts just now takes longer
        self.disturbed: list[float] = []  # when something befell a process of ours

    def stormy(self, share: float) -> bool:
        now = asyncio.get_running_loop().time()
        return now < self.calm_from_s and self.rng.random() < share

    async def carry(
        self,
        what: str,
        share: float,
        act: Callable[[float], T],
        *,
        clean: bool = False,
        chosen: Callable[[Hit], None] = lambda _: None,
    ) -> Answer[T]:
        """`act` is what the other side does; it is told when the request was sent.

        `chosen` is told what happens to it on its way, before anything does.
        """
        must_be_alive()
        loop = asyncio.get_running_loop()
        hit = Hit.NONE if clean or not self.stormy(share) else self._choose()
        chosen(hit)
        if hit is not Hit.NONE:
            self.trace.say("network", f"{what}: {hit}")
        journey = loop.create_task(self._travel(hit, act, loop.time()), context=Context())
        self.under_way.add(journey)
        journey.add_done_callback(self.under_way.discard)
        answer = await asyncio.shield(journey)
        must_be_alive()
        if answer.hit in (Hit.LOST_REQUEST, Hit.LATE_REQUEST, Hit.LOST_ANSWER):
            await asyncio.sleep(_FOR_EVER_S)
        return answer

    def _choose(self) -> Hit:
        if self.rng.random() < 0.5:
            return self.weather.favourite
        return self.rng.choice([hit for hit in Hit if hit is not Hit.NONE])

    async def _travel(self, hit: Hit, act: Callable[[float], T], sent_s: float) -> Answer[T]:
        await asyncio.sleep(self.rng.choice((0.01, 0.1, 0.5, 2.0)))
        if hit in NEVER_ARRIVES:
            return Answer(hit)
        if hit is Hit.LATE_REQUEST:
            self._later(self.rng.choice((45.0, 70.0, 200.0, 600.0)), act, sent_s)
            return Answer(hit)
        value = act(sent_s)
        linger_s, self.linger_s = self.linger_s, 0.0
        wait_s = linger_s + self.rng.choice((0.01, 0.1, 1.0, 5.0))
        await asyncio.sleep(self.rng.choice((12.0, 30.0, 70.0)) if hit is Hit.SLOW else wait_s)
        return Answer(Hit.NONE if hit is Hit.SLOW else hit, value)

    def later(self, after_s: float, act: Callable[[float], T]) -> None:
        """The other side does it by itself, some time from now."""
        self._later(after_s, act, asyncio.get_running_loop().time())

    def _later(self, after_s: float, act: Callable[[float], T], sent_s: float) -> None:
        async def arrive() -> None:
            await asyncio.sleep(after_s)
            act(sent_s)

        late = asyncio.get_running_loop().create_task(arrive(), context=Context())
        self.under_way.add(late)
        late.add_done_callback(self.under_way.discard)
