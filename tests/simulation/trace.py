"""What happened in a world, in order: readable, and the same to the letter for the same seed."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from twintill.errors import StripeError

# The database is cut, and Stripe fails, on purpose; whatever else is stumbled over is a bug.
_EXPECTED = (OSError, SQLAlchemyError, StripeError, TimeoutError)


@dataclass
class Trace:
    """Lines for people; `wrongs` are the broken rules, the first one first."""

    lines: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0
    alarm: asyncio.Event = field(default_factory=asyncio.Event)  # something is for people

    def say(self, who: str, what: str) -> None:
        moment = datetime.fromtimestamp(self.clock(), UTC)
        self.lines.append(f"{moment:%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} {who:9} {what}")

    def blame(self, what: str) -> None:
        self.wrongs.append(what)
        self.say("WRONG", what)

    @property
    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()[:16]

    def listen(self) -> None:
        """From now on what the code under test logs is part of this trace."""
        structlog.configure(processors=[self._logged])

    def _logged(self, _: Any, level: str, event: Any) -> Any:
        error = event.get("exc_info")
        if isinstance(error, BaseException) and not isinstance(error, _EXPECTED):
            self.blame(f"{event['event']}: {type(error).__name__}: {error}")
        else:
            if event["event"] == "tripwire":
                self.alarm.set()
            self.say("log", f"{level} {event['event']}")
        raise structlog.DropEvent
