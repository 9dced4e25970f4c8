"""The caps of automatic refunds: how much may go back before a person looks. Pure.

A bug or a wrong setting that strands money wrongly must not empty the till; so refunds that nobody
agreed to are bounded by number, by sum, and by their share of what came in.
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
