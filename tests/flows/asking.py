"""A sandbox processor that can be asked for its events, in small pages."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.flows.world import PROCESSOR_ACCOUNT, PROCESSOR_KEY, PROCESSOR_SECRET, World
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.processors import Processor
from twintill.processors.reports import EventPage
from twintill.processors.sandbox import SandboxProcessor


def with_processor(world: World, kind: type[SandboxProcessor]) -> World:
    """The same world, whose processor is of this kind."""
    url = str(world.processor.base_url)
    secrets = (PROCESSOR_SECRET,)
    its = kind(url, PROCESSOR_KEY, secrets, PROCESSOR_ACCOUNT, world.processor, timeout_s=20)
    named: dict[str, Processor] = {"sandbox": its}
    return replace(world, means=replace(world.means, processors=named))


class TellsEvents(SandboxProcessor):
    """A body for each event, as a webhook would bring it alone."""

    page = 2

    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        behind = f"&after={after}" if after else ""
        answer = await self._client.get(
            f"{self._base_url}/v1/events?limit={self.page}{behind}", headers=self._headers
        )
        if not answer.is_success:
            return NoAnswer(f"could not list events: HTTP {answer.status_code}")
        listed = answer.json()
        events: list[dict[str, Any]] = listed["data"]
        recent = [e for e in events if datetime.fromisoformat(e["created"]) >= since]
        bodies = tuple(json.dumps({"events": [e]}).encode() for e in recent)
        return EventPage(bodies, events[-1]["id"] if listed["has_more"] else None)
