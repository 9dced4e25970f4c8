"""A pass over a list that each processor keeps: how far it is, and what it found so far."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.store import clock

EVERY = timedelta(days=1)
# What belongs to a charge whose answer is not here yet is nobody's: it is somebody's by then.
OVERLAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Pass:
    """JSON in and out. `since`: by processor, where its last whole list began."""

    began_at: str
    todo: tuple[str, ...]
    since: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    listed: int = 0
    found: int = 0
    not_ours: int = 0
    failed: int = 0
    not_asked: int = 0  # processors that could not be

    def listed_since(
        self, name: str, at_first: timedelta, not_before: datetime | None = None
    ) -> datetime:
        """Where this processor's list begins: `at_first` ago when it was never asked."""
        since = self.since.get(name)
        if since is not None:
            return datetime.fromisoformat(since)
        first = datetime.fromisoformat(self.began_at) - at_first
        return first if not_before is None else max(first, not_before)

    def next(self) -> "Pass":
        """On to the next processor; this one's list is not at its end."""
        return replace(self, todo=self.todo[1:], after=None)

    def behind(self, name: str, following: str | None, overlap: timedelta = OVERLAP) -> "Pass":
        """A page was taken in; the next time begins `overlap` before this pass began."""
        if following is not None:
            return replace(self, after=following)
        since = datetime.fromisoformat(self.began_at) - overlap
        return replace(self, since={**self.since, name: since.isoformat()}).next()

    def ran(self, every: timedelta = EVERY) -> Ran:
        """Goes on at once while there is something left of the pass."""
        names = ("listed", "found", "not_ours", "failed", "not_asked")
        result = {name: getattr(self, name) for name in names}
        if self.todo:
            return Ran(timedelta(0), result, asdict(self))
        return Ran(every, result, {"since": dict(self.since)})


async def resume(means: Means, cursor: Mapping[str, Any], names: Iterable[str]) -> Pass:
    """Where the last run left off, or a new pass over these processors."""
    if "todo" in cursor:
        return Pass(**{**cursor, "todo": tuple(cursor["todo"])})
    async with means.database.connect() as db:
        now = await clock.now(db)
    return Pass(now.isoformat(), tuple(sorted(names)), cursor.get("since", {}))
