"""A world: customers with methods and invoices, Stripe, three processors, web and workers; and
everybody else who acts at the same time. `simulate` lets one pass and says what was wrong."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx

from tests.simulation import (
    checks,
    cheques,
    doubt,
    faces,
    giving_back,
    leaving,
    mischief,
    moving,
    overtaken,
    restore,
    settling,
    wallets,
)
from tests.simulation.aim import of_the_world, weather_of
from tests.simulation.database import SimDatabase
from tests.simulation.dispatcher import Dispatcher
from tests.simulation.faults import GIVES_UP_S, Network, Weather, policy, policy_afterwards
from tests.simulation.houses import (
    LOST,
    SCOPE,
    VAULT,
    House,
    MachineClock,
    Outside,
    WebHouse,
    WorkerHouse,
)
from tests.simulation.invoice import Invoice
from tests.simulation.letters import Post
from tests.simulation.loop import SimLoop
from tests.simulation.processor import Bank
from tests.simulation.processor import Kind as KindOfBank
from tests.simulation.rules import Rules
from tests.simulation.stripe import SimStripe
from tests.simulation.trace import Trace
from tests.simulation.twin import Twin
from twintill import ids
from twintill.domain.invoice import InvoiceStatus
from twintill.store import methods, mirror
from twintill.store.doorbell import Kind

EPOCH_S = 1_767_600_000  # a Monday in January 2026, 08:00 UTC
DAY_S = 86_400.0
READS_REPORTS = 4  # one world in so many: it takes a fifth more time


@dataclass(frozen=True)
class Size:
    """How much of a world there is."""

    customers: int
    invoices: int  # of each customer, one a month
    workers: int
    within_s: float = 3600.0  # of each other
    processor: str | None = None  # only this one
    magic: tuple[str, ...] = wallets.MAGIC


SIZES = {
    "small": Size(2, 1, 2),
    "month": Size(8, 1, 3),
    "year": Size(4, 12, 3),
    # One after the other, at the processor that can give a definite answer.
    "doubts": Size(40, 1, 2, 3 * DAY_S, "exact", ("card_ok", "card_ok", "card_declined")),
}


class NeverRests(Exception):
    """Long after the last deed something is still under way."""


@dataclass(frozen=True)
class Result:
    seed: int
    size: str
    wrongs: list[str]
    hash: str
    lines: list[str]
    queries: int
    payments: int
    charges: int
    doubts: list[doubt.Doubt]  # charges that were in doubt, and for how long


def simulate(
    database: SimDatabase, seed: int, size: str = "small", processor: str = "sandbox"
) -> Result:
    """One world, from its first invoice to its last rest; `processor`: who takes the money."""
    database.empty()
    drawn = random.Random(f"{seed}/{size}/ids")
    ids.secrets = SimpleNamespace(randbits=drawn.getrandbits)  # type: ignore[assignment, attr-defined]
    rng = random.Random(f"{seed}/{size}/schedule")
    with (
        contextlib.closing(SimLoop(rng, database, EPOCH_S)) as loop,
        faces.on_the_worlds_clock(loop),
    ):
        world = World(loop, database, seed, size, processor)
        try:
            loop.run_until_complete(world.live())
        except NeverRests:
            pass  # the trace says so
        finally:
            loop.run_until_complete(world.end())
        checks.check(world)
        trace = world.trace
        return Result(
            seed,
            size,
            trace.wrongs,
            trace.hash,
            trace.lines,
            loop.steps,
            len(world.stripe.invoices),
            sum(len(bank.book.charges) for bank in world.banks.values()),
            doubt.closed_after(world),
        )


class World:
    """Made inside its loop; everything random comes from the seed."""

    def __init__(
        self, loop: SimLoop, database: SimDatabase, seed: int, size: str, processor: str = "sandbox"
    ) -> None:
        self.loop, self.database, self.size = loop, database, SIZES[size]
        self.rng = of_the_world(seed, size)
        # At a real processor there are fees, which the books of a world do not know.
        self.reads_reports = processor == "sandbox" and seed % READS_REPORTS == 0
        self.apart = random.Random(f"{seed}/{size}/apart")
        self.cheques = random.Random(f"{seed}/{size}/cheques")
        self.trace = Trace(clock=loop.time)
        self.trace.listen()
        self.weather: Weather = faces.weather(weather_of(self.rng, seed, size), processor)
        self.network = Network(self.rng, self.weather, self.trace, EPOCH_S)
        self.stripe = SimStripe(self.network, "abcdefg2", lambda body: self.post("stripe", body))
        chosen = random.Random(f"{seed}/{size}/policy of later")
        self.policy = policy_afterwards(policy(self.rng), self.weather, chosen)
        self.policy = moving.policy(self.policy, self.weather, seed, size)
        self.policy = restore.policy(self.policy, self.weather)
        self.rules = Rules(self.stripe, self.policy, database, self.trace)
        self.stripe.may_collect = self.rules.may_be_collected_by_stripe
        self.banks = {kind.name: self._bank(kind, seed) for kind in faces.WORLDS[processor]}
        self.rules.banks = self.banks
        self.outside = Outside(
            loop,
            database,
            self.stripe,
            {name: faces.adapter_of(bank) for name, bank in self.banks.items()},
            self.policy,
            self.trace,
        )
        self.stripe.looked_at = lambda invoice: mischief.while_it_is_looked_at(self, invoice)
        self.letters = Post(self)
        self.deeds: set[asyncio.Task[Any]] = set()  # what people are about to do
        self.left: set[str] = set()  # customers who took a method back
        self.asked = itertools.count(1)  # what somebody asks for has a number
        self.in_hand: dict[str, cheques.InHand] = {}  # what people have, and told of
        self.paid_out: dict[str, cheques.PaidOut] = {}  # by the reference of that payment
        self.by_hand: set[str] = set()  # customers who were switched in the Dashboard
        self.withdrawn: dict[str, str] = {}  # whose each token was, by him or by his bank
        self.houses: list[House] = []
        self.workers: list[WorkerHouse] = []
        self.in_operation = asyncio.Event()  # not while a backup is restored
        self.in_operation.set()
        self.restored = False
        self.mirrored: dict[str, InvoiceStatus] = {}  # what the mirror showed last
        self.twin: Twin | None = None

    async def live(self) -> None:
        self.transport = httpx.AsyncHTTPTransport(verify=False)
        ticking = self.loop.create_task(self._tick())
        self.web = self._open(WebHouse(self.outside, "web", self._clock()))
        self.open_office()
        self.dispatcher = Dispatcher(self.outside, self.network, self.rng)
        self.houses.append(self.dispatcher.house)
        self.trace.say("world", f"{self.weather}")
        self.trace.say("world", f"{self.policy}")
        loses = self.weather.lost_day or self.weather.falls_back
        if self.weather.two_copies and not loses:
            self.twin = Twin(self)
            self.houses += self.twin.houses
            self.rules.databases.append(self.twin.database)
        for n in range(1, self.size.customers + 1):
            await self._found_customer(n)
        for n in range(1, self.size.workers + 1):
            self._employ(f"worker-{n}", lives=1)
        if self.weather.lost_day:
            since_s = self.rng.uniform(0, 7200)
            until_s = since_s + self.rng.choice((600.0, 3600.0, DAY_S))
            self.deed(restore.lose_a_day(self, since_s, until_s))
        elif self.weather.falls_back:
            self.deed(restore.fall_back(self))
        elif self.weather.deaf_s == GIVES_UP_S:
            self.deed(restore.look_for_what_was_not_delivered(self))
        resuming = self.loop.create_task(mischief.see_to_what_is_paused(self))
        await self._wait_for_rest()
        ticking.cancel()
        resuming.cancel()
        if self.twin is None and not self.trace.wrongs:
            await restore.compare_with_both_sides(self)
            if self.reads_reports:
                await settling.read_reports(self, EPOCH_S)
                settling.check(self)

    async def end(self) -> None:
        for house in self.houses:
            await self.loop.kill(house.process)
        await self.loop.end()

    def deed(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that happens beside everything else."""
        task = self.loop.create_task(work)
        self.deeds.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.deeds.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LOST):
            self.trace.blame(f"a deed failed: {type(error).__name__}: {error}")

    def post(self, source: str, body: str) -> None:
        self.letters.send(source, body)
        if self.weather.rush:
            mischief.void_what_was_paid(self)

    @property
    def is_deaf(self) -> bool:
        """No webhook arrives at all."""
        return self.loop.time() < self.deaf_until_s

    @property
    def deaf_until_s(self) -> float:
        return EPOCH_S + self.weather.deaf_s

    async def new_method(self, customer_id: str, magic: str, at: str | None = None) -> str:
        """The customer gave us a method, at one of the processors."""
        bank = self.banks[at or self.size.processor or self.rng.choice(sorted(self.banks))]
        made = bank.method(magic)
        new = methods.NewMethod(
            setup_session_id=made.token,
            customer_id=customer_id,
            processor=bank.kind.name,
            processor_account_id=f"acct_{bank.kind.name}",
            processor_customer_id=made.customer,
            token=made.token,
            kind=made.magic.kind,
            display=made.magic.display,
        )
        async with self.office.means.database.begin() as db:
            await mirror.add_customer(db, SCOPE, customer_id)
            method_id = await methods.add(db, VAULT, SCOPE, new)
        if self.twin is not None:
            await self.twin.add_method(new)
        self.trace.say("customer", f"{customer_id} gives {magic} at {bank.kind.name}")
        return method_id

    def open_office(self) -> None:
        """People at Twintill's doors and commands."""
        self.office: House = self._open(House(self.outside, "office"))

    async def restart_web(self) -> None:
        await self.web.kill()
        await asyncio.sleep(1)
        self.web = self._open(WebHouse(self.outside, "web", self._clock()))

    async def cut(self) -> None:
        self.trace.say("kill", "all database connections")
        self.network.disturbed.append(self.loop.time())
        self.loop.cut(list(self.loop.lines))

    def _clock(self) -> MachineClock:
        """A web process looks at its machine's clock; everything else asks the database."""
        skew_s = self.rng.choice((0, 0, 0, 200, 600, -600))
        until_s = min(self.loop.time() + DAY_S / 4, self.network.calm_from_s)
        return MachineClock(self.loop, skew_s, until_s)

    def _bank(self, kind: KindOfBank, seed: int) -> Bank:
        rules = self.rules
        return faces.bank_of(
            kind,
            self.network,
            rules.may_charge,
            rules.may_give_back,
            rules.may_drop,
            seed,
            self.post,
        )

    def _open(self, house: Any) -> Any:
        self.houses.append(house)
        return house

    def _employ(self, name: str, lives: int) -> None:
        house = self._open(WorkerHouse(self.outside, f"{name}.{lives}", self.transport))
        self.workers = [w for w in self.workers if w.process.alive] + [house]
        for _ in range(2):
            self.outside.start(house.process, self._work(house))
        self.deed(self._replace_when_dead(house, name, lives))

    async def _work(self, house: WorkerHouse) -> None:
        while True:
            bell = await self.dispatcher.next()
            self.dispatcher.busy += 1
            if bell.kind is Kind.PAYMENT:
                mischief.around_a_look(self, house, bell.row_id)
                giving_back.around_a_look(self, bell.row_id)
                cheques.around_a_look(self, bell.row_id)
                moving.around_a_look(self, bell.row_id)
            try:
                await house.answer(bell)
                checks.check_mirror_moves_up(self)
            finally:
                self.dispatcher.busy -= 1
                self.dispatcher.stirred()

    async def _replace_when_dead(self, house: WorkerHouse, name: str, lives: int) -> None:
        await asyncio.wait(house.process.tasks[:1])
        if not house.process.alive:
            await asyncio.sleep(self.rng.choice((0.1, 5.0, 120.0)))
            await self.in_operation.wait()
            self._employ(name, lives + 1)

    async def _found_customer(self, n: int) -> None:
        customer_id = f"cus_{n}"
        for magic, its_processor in wallets.at_first(self):
            await self.new_method(customer_id, magic, its_processor)
        moving.in_the_life_of(self, customer_id)
        leaving.in_the_life_of(self, customer_id)
        cheques.of_a_customer(self, customer_id)
        if self.weather.trials and self.apart.random() < self.weather.trials:
            self.deed(self._begin_trial(f"in_{n}_trial", customer_id))
        for month in range(self.size.invoices):
            invoice = Invoice(
                id=f"in_{n}_{month + 1}",
                customer_id=customer_id,
                currency="EUR",
                total_minor=self.rng.choice((100, 4900, 12_345)),
                due_s=EPOCH_S + (30 * month + 31) * DAY_S,
            )
            within_s = 60 if self.weather.rush else self.size.within_s
            self.deed(self._bill(invoice, 30 * month * DAY_S + self.rng.uniform(0, within_s)))

    async def _begin_trial(self, invoice_id: str, customer_id: str) -> None:
        """An invoice of nothing, which Stripe closes by itself: the method is there already."""
        await asyncio.sleep(self.apart.random() * DAY_S)
        self.stripe.issue(Invoice(invoice_id, customer_id, "EUR", 0, EPOCH_S + 31 * DAY_S))

    async def _bill(self, invoice: Invoice, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.stripe.issue(invoice)
        last = self.weather.falls_back or overtaken.is_the_last(self, invoice)
        if not last and not giving_back.is_left_alone(self):
            mischief.in_the_life_of(self, invoice)
        giving_back.in_the_life_of(self, invoice)
        cheques.in_the_life_of(self, invoice)

    async def _tick(self) -> None:
        """The processors' own time: debits end, actions expire."""
        while True:
            for bank in self.banks.values():
                bank.catch_up()
            await asyncio.sleep(3600)

    async def _wait_for_rest(self) -> None:
        """Until nothing is due, nothing is on its way and nobody will act; or something broke."""
        patience_s = EPOCH_S + (30 * (self.size.invoices - 1) + 14) * DAY_S
        while not self.trace.wrongs and (not self._rests() or self._somebody_waits()):
            if self.loop.time() > patience_s:
                patience_s += 3 * DAY_S
                await self._close_the_rest(patience_s)
            await asyncio.sleep(3 * 3600)

    def _rests(self) -> bool:
        waiting = any(bank.has_plans() for bank in self.banks.values())
        lively = self.letters.under_way or self.network.under_way or waiting
        busy_people = len(self.deeds) > self.size.workers
        calm = self.loop.time() >= self.network.calm_from_s
        return calm and not lively and not busy_people and self.dispatcher.idle

    def _somebody_waits(self) -> bool:
        """An operation may go on waiting for a payment that waits for a person."""
        if self.dispatcher.waiting <= {Kind.OPERATION}:
            return bool(self.dispatcher.waiting) and bool(
                self.database.fetch(checks.OPERATIONS_LEFT)
            )
        return True

    async def _close_the_rest(self, patience_s: float) -> None:
        """Whoever still waits for a method or for a person at Stripe: the invoice is voided."""
        if patience_s > EPOCH_S + (30 * self.size.invoices + 40) * DAY_S:
            self.trace.blame("the world never comes to rest")
            raise NeverRests
        checks.check_before_it_closes(self)
        for invoice in list(self.stripe.invoices.values()):
            self.stripe.close(invoice, InvoiceStatus.VOID)
