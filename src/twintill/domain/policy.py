"""What is "by setting": one frozen object per Stripe account, with safe defaults."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations are timedeltas; counts are counts. The defaults are the careful choice."""

    # Dunning of soft declines: the pauses before the second, third, ... try with one method.
    retry_pauses: tuple[timedelta, ...] = (
        timedelta(days=1),
        timedelta(days=3),
        timedelta(days=5),
    )
    retry_span: timedelta = timedelta(days=15)
    retry_gap_min: timedelta = timedelta(days=1)
    # A try must be this far before the due date, so that its report still arrives in time.
    due_margin: timedelta = timedelta(hours=12)

    # In doubt: ask soon, then at growing intervals, then a person.
    ask_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=15),
        timedelta(seconds=30),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
    )
    replay_share: float = 0.75  # of the processor's idempotency window
    doubt_deadline: timedelta = timedelta(days=3)

    # Accepted charges are told by webhook; asking is the safety net.
    pending_pause: timedelta = timedelta(days=1)
    pending_deadline: timedelta = timedelta(days=21)

    # Infrastructure: not a decline, its own fast back-off.
    not_sent_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(minutes=30),
    )
    stripe_pauses: tuple[timedelta, ...] = (
        timedelta(seconds=2),
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(minutes=30),
    )
    reports_before_notice: int = 20  # a wrong key must not go unnoticed
    look_pause: timedelta = timedelta(hours=6)  # nothing to do now, but never forgotten

    # Tripwires: what pauses charging through one processor until a person resumes it. Only what
    # happened since the last `resume` counts.
    braked_pause: timedelta = timedelta(hours=1)  # looked at again; `resume` rings by itself
    brake_in_doubt: int = 50  # this many charges without an answer, for two minutes or longer
    brake_config: int = 3  # payments refused within an hour because something is not set up there
    brake_charged_percent: int = 150  # charged in an hour, of what the invoices charged had due
    brake_charged_min: int = 10  # approved charges, below which that says nothing
    brake_declines_rise: int = 30  # percentage points above the share of the last 7 days
    brake_declines_min: int = 30  # answers in the last hour, below which that says nothing
    brake_declines_history: int = 100  # answers in those 7 days, below which nothing is a jump

    # Money that Stripe will not take goes back by itself, once it is final, within these caps.
    refund_stranded: bool = True
    refund_pause: timedelta = timedelta(minutes=10)  # a person may be doing it by hand
    refunds_per_hour: int = 20
    refund_minor_per_hour: int = 1_000_000  # of each currency, in its minor units
    refund_share_of_day: float = 0.1  # of what was collected in a day, per currency ...
    refunds_without_share: int = 3  # ... but so many a day go back in any case
    provisional_deadline: timedelta = timedelta(days=60)


def pause_after(pauses: tuple[timedelta, ...], count: int) -> timedelta:
    """The pause after the `count`-th repetition (0 = the first); the last one repeats."""
    return pauses[min(count, len(pauses) - 1)]
