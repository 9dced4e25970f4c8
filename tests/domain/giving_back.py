"""The refunds of the small pure world: what the processor gave back, and who asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.domain.situations import POLICY, give_back
from twintill.domain import facts as f
from twintill.domain.doubt import Window, may_replay, nothing_can_appear
from twintill.domain.facts import RefundAnswered, Via
from twintill.domain.hand import HandState
from twintill.domain.ledger import FAILED, IN_FLIGHT, STRANDED
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Outcome, Receipt, Refund
from twintill.domain.return_facts import RefundSeenThere
from twintill.money import Money

if TYPE_CHECKING:
    from tests.domain.world import Does, Line, World


@dataclass
class Given:
    """One refund at the processor: its states, oldest first."""

    receipt_id: str
    amount: Money
    states: list[ChargeOutcome]
    refund: Refund | None = None  # None: by hand, over there

    @property
    def now(self) -> ChargeOutcome:
        return self.states[-1]

    @property
    def holds_money(self) -> bool:
        return isinstance(self.now, Approved | Accepted)


@dataclass
class GivingBack:
    world: World
    there: dict[str, Given] = field(default_factory=dict)  # by idempotency key, or its own id

    def look(self, receipt: Receipt, does: Does, line: Line, *, readable: bool) -> None:
        """What a worker does about a receipt that is stranded."""
        if not readable:
            self.world.learn(f.LookFailed("could not list"))
            return
        payment = self.world.payment
        for refund_id, given in self.there.items():
            known = any(r.processor_refund_id == refund_id for r in payment.refunds)
            if given.refund is None and given.receipt_id == receipt.id and not known:
                n = payment.next_refund_n
                seen = RefundSeenThere(receipt.id, refund_id, given.amount, n, f"ref_{n}")
                self.world.learn(seen)
                return
        started = self.world.learn(give_back(payment)).give_back
        if started is not None:
            assert receipt.finality is Finality.FINAL, "gives back what may still fail"
            assert payment.unresolved_attempt is None
            self._request(started, does, line, Via.FIRST)

    def ask(self, refund: Refund, does: Does, line: Line) -> None:
        """What a worker does about a refund without an end."""
        world, known = self.world, self.there.get(refund.idempotency_key)
        window = Window(timedelta(days=1), timedelta(hours=1), world.looks_up)
        if world.looks_up and known is not None:
            told = NoAnswer("could not look") if line.value.startswith("lost") else known.now
            world.learn(RefundAnswered(refund.id, told, Via.RECORD))
        elif refund.outcome is Outcome.ACCEPTED or not may_replay(
            refund, window, POLICY, world.now
        ):
            conclusive = nothing_can_appear(refund, window, world.now)
            world.learn(f.RefundNotFoundThere(refund.id, conclusive))
        else:
            sent = world.learn(f.RefundReplayStarted(refund.id)).give_back
            via = Via.EXACT_REPLAY if world.replays_first_answer else Via.REPLAY
            if sent is not None:
                self._request(sent, does, line, via)

    def by_hand(self, minor: int) -> None:
        """Somebody gives some of a stranded receipt back, over there."""
        receipt = self.world.payment.receipt_to_give_back
        if receipt is not None and minor <= self._left(receipt):
            name = f"rfd_hand_{len(self.there) + 1}"
            amount = Money(minor, receipt.currency)
            self.there[name] = Given(receipt.id, amount, [Approved(name, amount)])

    def settle(self, given: Given, *, kindly: bool) -> None:
        if isinstance(given.now, Accepted):
            name = given.now.processor_payment_id
            done: ChargeOutcome = Declined(DeclineKind.SOFT, "account_closed")
            given.states.append(Approved(name, given.amount) if kindly else done)

    def tell(self, given: Given, age: int) -> None:
        """A webhook, old or new."""
        if given.refund is not None:
            told = given.states[age % len(given.states)]
            self.world.learn(RefundAnswered(given.refund.id, told, Via.RECORD))

    def check(self, stands: dict[str, int]) -> None:
        payment = self.world.payment
        assert len([r for r in payment.refunds if r.unresolved]) <= 1
        failed = {r.id for r in payment.receipts if r.failed}
        under_way = [r for r in payment.refunds if r.outcome is Outcome.ACCEPTED]
        lost = sum(r.amount.minor for r in under_way if r.receipt_id in failed)
        alive = sum(r.amount.minor for r in under_way) - lost
        stranded = sum(r.stranded_minor for r in payment.receipts if not r.failed)
        assert -stands.get(STRANDED, 0) == stranded - alive
        assert -stands.get(IN_FLIGHT, 0) == lost + alive
        owed = sum(r.reported_minor + r.refunded_minor for r in payment.receipts if r.failed)
        bounced = (h for h in payment.by_hand if h.state is HandState.CORRECTED)
        assert stands.get(FAILED, 0) == owed + lost + sum(h.paid_out_minor for h in bounced)
        for receipt in payment.receipts:
            assert receipt.refunded_minor + receipt.stranded_minor <= receipt.collected_minor
            assert self._left(receipt) >= 0, "given back twice"

    def _left(self, receipt: Receipt) -> int:
        given = (g for g in self.there.values() if g.receipt_id == receipt.id and g.holds_money)
        return receipt.collected_minor - receipt.reported_minor - sum(g.amount.minor for g in given)

    def _request(self, refund: Refund, does: Does, line: Line, via: Via) -> None:
        answer = self._answer(refund, does, line)
        late = line.value == "the answer came after the lease"
        self.world.learn(RefundAnswered(refund.id, answer, Via.STALE if late else via))

    def _answer(self, refund: Refund, does: Does, line: Line) -> ChargeOutcome:
        if line.value == "never left":
            return NotSent(NotSentReason.NETWORK, "connection refused")
        if line.value == "lost before it arrived":
            return NoAnswer("reset")
        key = refund.idempotency_key
        if key in self.there and not self.world.replays_first_answer:
            return Declined(DeclineKind.SOFT, "duplicate")
        if key not in self.there:
            answer = self._first(refund, does)
            if isinstance(answer, Declined) and not self.world.replays_first_answer:
                return answer  # it keeps nothing of what it refused
            self.there[key] = Given(refund.receipt_id, refund.amount, [answer], refund)
        lost = line.value == "the answer was lost"
        return NoAnswer("timed out") if lost else self.there[key].now

    def _first(self, refund: Refund, does: Does) -> ChargeOutcome:
        receipt = next(r for r in self.world.payment.receipts if r.id == refund.receipt_id)
        if does.value.startswith("decline") or refund.amount.minor > self._left(receipt):
            return Declined(DeclineKind.SOFT, "refund_refused")
        name = f"rfd_{refund.n}"
        return Accepted(name) if does.value == "accept" else Approved(name, refund.amount)
