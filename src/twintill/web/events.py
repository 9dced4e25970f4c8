"""/v1/events: what your app was told, or would have been, and sending one of them again."""

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request

from twintill.flows import endpoints as flow
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import outgoing
from twintill.store import outgoing_deliveries as deliveries
from twintill.store.outgoing import EventFilter
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.endpoints import delivery_shape
from twintill.web.event_shapes import EventShape, ResendParams, WholeEventShape
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, seconds

router = api_router("events")


def event_filter(
    created: CreatedRange,
    type: Annotated[
        str | None, Query(max_length=100, description="Of this type, e.g. payment.collected.")
    ] = None,
    about: Annotated[
        str | None, Query(max_length=255, description="Those about this object, e.g. pay_...")
    ] = None,
) -> EventFilter:
    """A dependency: what the list may be narrowed to."""
    return EventFilter(type, about, created)


@router.get("/v1/events", summary="List events")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    only: Annotated[EventFilter, Depends(event_filter)],
) -> ListShape[EventShape]:
    """Newest first, whether somebody asked for them or not."""
    async with means.database.connect() as db:
        rows, more = await outgoing.page(db, caller.scope, page, only)
    return as_list(request, [EventShape(**_event(row)) for row in rows], has_more=more)


@router.get("/v1/events/{event}", summary="One event")
async def get_one(event: str, means: TheMeans, caller: Reader) -> WholeEventShape:
    """With its deliveries: to whom, how often, and what they answered."""
    return await _whole(means, caller.scope, event)


@router.post("/v1/events/{event}/resend", summary="Send an event again")
async def resend(
    event: str, doors: TheDoors, caller: Admin, params: ResendParams | None = None
) -> WholeEventShape:
    """To one endpoint, or to all that ask for its type; whoever has it drops it by its id."""
    async with doors.means.database.begin() as db:
        endpoint_id = params.webhook_endpoint if params else None
        await flow.resend(db, caller.scope, event, endpoint_id)
    doors.waker.ring()
    return await _whole(doors.means, caller.scope, event)


async def _whole(means: Means, scope: Scope, event_id: str) -> WholeEventShape:
    async with means.database.connect() as db:
        row = await outgoing.read(db, scope, event_id)
        its = await deliveries.of_event(db, scope, event_id)
    return WholeEventShape(**_event(row), deliveries=[delivery_shape(one) for one in its])


def _event(row: Any) -> dict[str, Any]:
    return {
        "id": row.event_id,
        "livemode": row.livemode,
        "type": row.type,
        "about": row.object_id,
        "created": seconds(row.created_at) or 0,
        "data": row.payload,
    }
