"""What a duty is: work that recurs by itself, in whichever worker gets to it first.

One run is bounded (see `duties.DEADLINE`): it does a page and keeps a cursor. It may be repeated
after a crash, with the cursor of the last success, so what it does must be safe to do twice. No
transaction is open during a network call.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from twintill.flows.means import Means
from twintill.ids import Scope


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of a run that succeeded. Both mappings are JSON."""

    again_in: timedelta  # in business time; zero goes on at once
    result: Mapping[str, Any]  # for people; its numbers are figures of /metrics
    cursor: Mapping[str, Any]  # handed to the next run


# The last argument: the cursor of the last success, at first empty. An exception is a failure.
Duty = Callable[[Means, Scope, Mapping[str, Any]], Awaitable[Ran]]
