"""A decision in one line, as the table of decisions writes it."""

from datetime import datetime

from tests.domain.situations import NOW, POLICY, SITUATIONS
from tests.domain.told import FACTS
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.hand import HandPayment
from twintill.domain.payment import Attempt, Payment, Refund
from twintill.errors import BrokenInvariant

NOTED = "noted"
BUG = "refused as a bug of ours"


def result(situation: str, fact: str) -> str:
    """What happens when this fact meets a payment in this situation."""
    before = SITUATIONS[situation]
    try:
        decision = decide(before, FACTS[fact](before), POLICY, NOW)
    except BrokenInvariant:
        return BUG
    return shown(before, decision)


def shown(before: Payment, decision: Decision) -> str:
    """Where it stands and when to look; then attempts, what is sent, posted, and told."""
    after = decision.payment
    done = [
        *(["send"] if decision.send else []),
        *(["give back"] if decision.give_back else []),
        *([f"concludes {decision.conclude}"] if decision.conclude else []),
        *(["make note"] if decision.make_note else []),
        *(["follows on"] if decision.follow_on else []),
        *(["posts " + " ".join(t.kind for t in decision.postings)] if decision.postings else []),
        *(
            ["tells " + " ".join(n.removeprefix("payment.") for n in decision.notices)]
            if decision.notices
            else []
        ),
    ]
    if after == before and not done:
        return NOTED
    return "; ".join([_standing(before, after), *_attempts(before, after), *done])


def _standing(before: Payment, after: Payment) -> str:
    words = [after.state if after.reason is None else f"{after.state}/{after.reason}"]
    if (before.state, before.reason) == (after.state, after.reason):
        words = ["stays"]
    if after.parked_why is not None:
        words.append("parked")
    elif after.ended:
        words.append("ended")
    else:
        assert after.next_look_at is not None, "forgotten"
        words.append(f"looks {_until(after.next_look_at)}")
    return " ".join(words)


def _attempts(before: Payment, after: Payment) -> list[str]:
    """The attempts that have another outcome than before."""
    old = {a.id: a.outcome for a in before.attempts}
    old |= {r.id: r.outcome for r in before.refunds}
    now: list[Attempt | Refund] = [*after.attempts, *after.refunds]
    requests = [f"{a.id} {a.outcome}" for a in now if old.get(a.id) != a.outcome]
    return requests + [paper for paper in _papers(after) if paper not in _papers(before)]


def _papers(payment: Payment) -> list[str]:
    """What was asked for, and credit notes."""
    return [
        *(f"{ask.id} {ask.state}" for ask in payment.asks),
        *(f"{note.id} {note.state}" for note in payment.notes),
        *(_hand(hand) for hand in payment.by_hand),
    ]


def _hand(hand: HandPayment) -> str:
    kept = f" keeps {hand.free_minor}" if hand.free_minor else ""
    return f"{hand.id} {hand.state}{kept}"


def _until(at: datetime) -> str:
    seconds = int((at - NOW).total_seconds())
    if seconds <= 0:
        return "now"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"in {seconds / size:g} {unit}"
    return f"in {seconds} s"
