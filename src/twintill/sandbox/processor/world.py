"""Everything that the sandbox processor remembers: objects, book, events, agenda."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from twintill.sandbox.processor.dialect import Dialect, SandboxDialect
from twintill.sandbox.processor.objects import (
    Charge,
    Dispute,
    Event,
    Json,
    Method,
    Movement,
    Payout,
    Refund,
    SetupSession,
)
from twintill.sandbox.processor.refusals import not_found
from twintill.sandbox.processor.settings import ProcessorSandboxSettings

T = TypeVar("T")
_FRIDAY = 4


@dataclass(frozen=True, slots=True, order=True)
class Appointment:
    """Something that happens to an object by itself, at its time."""

    due: datetime
    n: int
    step: str
    object_id: str


class World:
    """Plain dictionaries; the modules beside this one hold the rules."""

    def __init__(self, settings: ProcessorSandboxSettings, dialect: Dialect | None = None) -> None:
        self.settings = settings
        self.dialect = dialect or SandboxDialect()
        seed = settings.seed
        self._random = random.SystemRandom() if seed is None else random.Random(seed)
        self.era = 0  # how often everything was forgotten
        self.forget()

    def forget(self) -> None:
        self.era += 1
        self.sessions: dict[str, SetupSession] = {}
        self.customers: dict[str, str] = {}  # by the merchant's reference
        self.methods: dict[str, Method] = {}
        self.charges: dict[str, Charge] = {}
        self.by_reference: dict[str, list[Charge]] = {}
        self.refunds: dict[str, Refund] = {}
        self.disputes: dict[str, Dispute] = {}
        self.book: list[Movement] = []
        self.unsettled: list[Movement] = []  # not paid out yet, where there are payouts
        self.payouts: dict[str, Payout] = {}
        self._sweep_is_planned = False
        self.events: list[Event] = []
        self.again: list[Event] = []  # to be delivered once more
        self._agenda: list[Appointment] = []
        self._appointments = 0

    def new_id(self, prefix: str) -> str:
        return self.dialect.new_id(prefix, self._random)

    def session(self, session_id: str) -> SetupSession:
        return _found(self.sessions, "setup session", session_id)

    def method(self, token: str) -> Method:
        return _found(self.methods, "method", token)

    def charge(self, charge_id: str) -> Charge:
        return _found(self.charges, "charge", charge_id)

    def refund(self, refund_id: str) -> Refund:
        return _found(self.refunds, "refund", refund_id)

    def dispute(self, dispute_id: str) -> Dispute:
        return _found(self.disputes, "dispute", dispute_id)

    def emit(self, event_type: str, its_object: Json, now: datetime) -> None:
        """In the engine's words; the dialect says what its webhooks make of it."""
        for told_type, told in self.dialect.tell(self, event_type, its_object, now):
            event_id = self.new_id("pevt")
            self.events.append(Event(event_id, told_type, now, told, cause=event_type))

    def move_money(
        self, kind: str, charge: Charge, amount: int, *, source: str, now: datetime
    ) -> None:
        """Writes one line of the book; the lines of a currency add up to the balance."""
        if not amount:
            return
        line = Movement(
            id=self.new_id("txn"),
            type=kind,
            amount=amount,
            currency=charge.currency,
            source=source,
            charge=charge.id,
            reference=charge.reference,
            created=now,
        )
        self.book.append(line)
        if self.settings.payout_days is not None:
            self.unsettled.append(line)
            self.plan_sweep(now)

    def plan_sweep(self, now: datetime) -> None:
        """The next time that the balance goes to the merchant's bank; one at a time."""
        if not self._sweep_is_planned and self.settings.payout_days is not None:
            self._sweep_is_planned = True
            self.appoint(self.later(now, self.settings.payout_days), "pay_out", "")

    def begin_sweep(self) -> None:
        self._sweep_is_planned = False

    def later(self, moment: datetime, days: float) -> datetime:
        """Counts as the banks of this processor do."""
        if not self.settings.business_days:
            return moment + timedelta(days=days)
        while days > 0 or moment.weekday() > _FRIDAY:
            weekend = moment.weekday() > _FRIDAY
            step = 1.0 if weekend else min(days, 1.0)
            moment += timedelta(days=step)
            days -= 0 if weekend else step
        return moment

    def appoint(self, due: datetime, step: str, object_id: str) -> None:
        self._appointments += 1
        heapq.heappush(self._agenda, Appointment(due, self._appointments, step, object_id))

    def next_due(self, now: datetime) -> Appointment | None:
        if self._agenda and self._agenda[0].due <= now:
            return heapq.heappop(self._agenda)
        return None

    def balances(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for movement in self.book:
            sums[movement.currency] = sums.get(movement.currency, 0) + movement.amount
        return sums


def _found(objects: dict[str, T], what: str, its_id: str) -> T:
    try:
        return objects[its_id]
    except KeyError:
        raise not_found(what, its_id) from None
