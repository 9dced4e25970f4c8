"""The caps of refunds: how much may go back before a person looks. Pure.

A bug or a wrong setting that strands money wrongly must not empty the till; so refunds that nobody
agreed to are bounded by number, by sum, and by their share of what came in. Nor must a leaked API
key, or a loop in somebody's program: what is asked for has a cap of its own.
"""

from dataclasses import dataclass

from twintill.domain.policy import Policy
from twintill.money import Money


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What went back lately, and what came in; amounts of one currency, in its minor units."""

    in_hour: int = 0
    minor_in_hour: int = 0
    in_day: int = 0
    minor_in_day: int = 0
    collected_minor_in_day: int = 0


def over_cap(so_far: GivenBack, amount: Money, policy: Policy) -> str | None:
    """Which cap one more refund would break, in words; None: none of them."""
    if so_far.in_hour >= policy.refunds_per_hour:
        return f"{so_far.in_hour} automatic refunds in an hour is the cap"
    in_hour = so_far.minor_in_hour + amount.minor
    if in_hour > policy.refund_minor_per_hour:
        most = Money(policy.refund_minor_per_hour, amount.currency)
        return f"automatic refunds are capped at {most} an hour, this would make it {in_hour}"
    in_day = so_far.minor_in_day + amount.minor
    most_in_day = policy.refund_share_of_day * so_far.collected_minor_in_day
    if so_far.in_day >= policy.refunds_without_share and in_day > most_in_day:
        return (
            f"automatic refunds of a day are capped at {policy.refund_share_of_day:.0%} of what "
            f"was collected ({so_far.collected_minor_in_day}), this would make it {in_day}"
        )
    return None


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What was asked to go back in the last hour; amounts of one currency, in its minor units."""

    count: int = 0
    minor: int = 0


@dataclass(frozen=True, slots=True)
class OverAskedCap:
    """`in_time`: later there is room for it; else it is more than an hour's cap by itself."""

    why: str
    in_time: bool


def over_asked_cap(so_far: AskedFor, amount: Money, policy: Policy) -> OverAskedCap | None:
    """Which cap one more refund that is asked for would break; None: none of them."""
    most_minor, most = policy.asked_refund_minor_per_hour, policy.asked_refunds_per_hour
    cap = Money(most_minor, amount.currency)
    if amount.minor > most_minor or most <= 0:
        return OverAskedCap(f"{amount} is more than may be asked for in an hour ({cap})", False)
    if so_far.count >= most:
        return OverAskedCap(f"{so_far.count} refunds asked for in an hour is the cap", True)
    if so_far.minor + amount.minor > most_minor:
        asked = Money(so_far.minor, amount.currency)
        return OverAskedCap(
            f"refunds that are asked for are capped at {cap} an hour, and {asked} were", True
        )
    return None
