"""The pace of calls to Stripe: how many may leave in a second, and whose turn it is.

Stripe limits the calls of an account (100 a second live, 25 in a sandbox), and those to each of its
endpoints (25): https://docs.stripe.com/rate-limits. Both limits are kept by the same means, a lane:
the moment until which calls have been given out. Calls are given out in small blocks, each of which
leaves at once and pushes that moment as far ahead as it is long; so in no second more leave than
the rate and one block.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

BLOCK = timedelta(milliseconds=100)
# How long less urgent calls stay away after a more urgent one had to wait: until it asks again.
_ASKS_AGAIN_WITHIN = timedelta(milliseconds=300)
_PUSHES = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8))
_PUSHES_FORGOTTEN_AFTER = timedelta(seconds=30)


class Urgency(IntEnum):
    """Who goes first: money that was taken is told before more is taken, and we read last."""

    REPORT = 0
    CHARGE = 1
    OTHER = 2
    READ = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a second, of the account and of each endpoint: somewhat below Stripe's own."""

    account_per_s: float
    endpoint_per_s: float

    @property
    def block(self) -> int:
        """How many calls are given out at once: those of 100 ms, at least one."""
        slower = min(self.account_per_s, self.endpoint_per_s)
        return max(1, int(slower * BLOCK.total_seconds()))


@dataclass(frozen=True, slots=True)
class Lane:
    """One limit, shared by all processes; times are the database's wall clock."""

    free_at: datetime  # calls have been given out until then
    wanted: Urgency  # somebody had to wait with calls as urgent as this
    wanted_until: datetime
    pushes: int  # how often in a row Stripe said "too many"
    pushed_until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """For so many calls to one endpoint; `more`: as urgent ones are left behind."""

    urgency: Urgency
    calls: int
    more: bool


@dataclass(frozen=True, slots=True)
class Block:
    """When these calls may leave, and both lanes from then on."""

    begins_at: datetime
    account: Lane
    endpoint: Lane


def unused(now: datetime) -> Lane:
    """A lane before its first call."""
    return Lane(now, Urgency.READ, now, 0, now)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Not now, and not promised for later either."""

    at: datetime


def take(
    account: Lane, endpoint: Lane, ask: Ask, limits: Limits, now: datetime
) -> Block | AskAgain:
    """The next calls; not while more urgent ones wait, here or in another process."""
    if any(lane.wanted < ask.urgency and lane.wanted_until > now for lane in (account, endpoint)):
        return AskAgain(now + BLOCK)
    length = max(BLOCK, timedelta(seconds=ask.calls / limits.endpoint_per_s))
    if endpoint.free_at > now + length:
        # Calls that leave much later must not take their place among the account's already.
        return AskAgain(endpoint.free_at - length)
    begins_at = max(account.free_at, endpoint.free_at, now)
    is_full = account.free_at >= endpoint.free_at and account.free_at > now
    account_after = _given(account, begins_at, ask.calls, limits.account_per_s)
    endpoint_after = _given(endpoint, begins_at, ask.calls, limits.endpoint_per_s)
    if ask.more:
        endpoint_after = _wanted(endpoint_after, ask.urgency)
        # What waits for its endpoint alone must not keep the other endpoints waiting.
        account_after = _wanted(account_after, ask.urgency) if is_full else account_after
    return Block(begins_at, account_after, endpoint_after)


def push_back(lane: Lane, now: datetime) -> Lane:
    """Stripe said "too many": nobody calls for a while; a volley of such answers counts once."""
    if now < lane.pushed_until:
        return lane
    in_a_row = now - lane.pushed_until < _PUSHES_FORGOTTEN_AFTER
    pushes = lane.pushes + 1 if in_a_row else 1
    until = now + _PUSHES[min(pushes, len(_PUSHES)) - 1]
    return replace(lane, free_at=max(lane.free_at, until), pushes=pushes, pushed_until=until)


def _given(lane: Lane, begins_at: datetime, calls: int, per_s: float) -> Lane:
    return replace(lane, free_at=begins_at + timedelta(seconds=calls / per_s))


def _wanted(lane: Lane, urgency: Urgency) -> Lane:
    return replace(lane, wanted=urgency, wanted_until=lane.free_at + _ASKS_AGAIN_WITHIN)
