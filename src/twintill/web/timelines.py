"""GET /v1/invoices/{invoice}/timeline: what happened to an invoice, whoever did it."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request

from twintill.domain.timeline import Line, behind
from twintill.errors import BadRequest
from twintill.flows import timeline
from twintill.web.api import Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.invoice_shapes import LineShape, TimelineShape
from twintill.web.pagination import only, seconds

router = api_router("invoices")


@router.get("/v1/invoices/{invoice}/timeline", summary="The story of an invoice")
async def show(
    request: Request,
    invoice: str,
    means: TheMeans,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100, description="How many lines, 1 to 100.")] = 100,
    starting_after: Annotated[str | None, only("The last id of the page before.")] = None,
) -> TimelineShape:
    """Across Stripe, the processor, the ledger and people, in order: the oldest line first.

    In the order in which Twintill came to know it; of one moment, the cause before its consequence.
    What is still to come (`planned`) stands at the end.
    """
    async with means.database.connect() as db:
        story = await timeline.read(db, caller.scope, means.policy, invoice)
    lines = story.lines
    if starting_after is not None:
        following = behind(lines, starting_after)
        if following is None:
            raise BadRequest("starting_after: no such line here.", param="starting_after")
        lines = following
    return TimelineShape(
        url=request.url.path,
        has_more=len(lines) > limit,
        data=[_line(line) for line in lines[:limit]],
        truncated=story.truncated,
    )


def _line(line: Line) -> LineShape:
    return LineShape(
        id=line.id,
        at=seconds(line.at) or 0,
        occurred_at=seconds(line.occurred_at),
        source=line.source.value,
        kind=line.kind,
        text=line.text,
        ids=dict(line.ids),
        planned=line.planned,
    )
