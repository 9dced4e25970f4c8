"""/v1/webhook_endpoints: where your app hears of events, and what it missed there."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request

from twintill.flows import endpoints as flow
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import endpoints
from twintill.store import outgoing_deliveries as deliveries
from twintill.store.endpoints import Endpoint
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.event_shapes import (
    DeliveryShape,
    EndpointChanges,
    EndpointParams,
    EndpointShape,
    RecoveredShape,
    RecoverParams,
    RemovedEndpointShape,
    RotateParams,
)
from twintill.web.idempotency import keep_instead
from twintill.web.pagination import ListShape, ThePage, as_list, seconds

router = api_router("webhook endpoints")
_ALL, _ONE = "/v1/webhook_endpoints", "/v1/webhook_endpoints/{endpoint}"


@router.post(_ALL, status_code=201, summary="Add an endpoint")
async def create(
    request: Request, params: EndpointParams, means: TheMeans, caller: Admin
) -> EndpointShape:
    """Its `secret` is in this answer and in no other: a repetition with the same Idempotency-Key
    gets the endpoint without it.
    """
    endpoint_id = caller.new_id("we")
    secret = await flow.add(
        means,
        caller.scope,
        endpoint_id,
        url=params.url,
        types=params.enabled_events,
        description=params.description,
        enabled=params.status == "enabled",
    )
    return await _shown_once(request, means, caller.scope, endpoint_id, secret)


@router.get(_ALL, summary="List endpoints")
async def list_all(
    request: Request, means: TheMeans, caller: Reader, page: ThePage
) -> ListShape[EndpointShape]:
    """Newest first; a failing one says since when, a disabled one why."""
    async with means.database.connect() as db:
        found, more = await endpoints.page(db, caller.scope, page)
    return as_list(request, [_shape(caller.scope, one) for one in found], has_more=more)


@router.get(_ONE, summary="One endpoint")
async def get_one(endpoint: str, means: TheMeans, caller: Reader) -> EndpointShape:
    """Without its secret."""
    async with means.database.connect() as db:
        return _shape(caller.scope, await endpoints.read(db, caller.scope, endpoint))


@router.patch(_ONE, summary="Change an endpoint")
async def change(
    endpoint: str, params: EndpointChanges, means: TheMeans, caller: Admin
) -> EndpointShape:
    """Disabled, it is told nothing, and what waits for it is given up; `recover` brings it back.

    The address of the one that the settings name is changed there (409, `endpoint_of_settings`).
    """
    changed = await flow.change(
        means,
        caller.scope,
        endpoint,
        url=params.url,
        types=params.enabled_events,
        description=params.description,
        enabled=None if params.status is None else params.status == "enabled",
    )
    return _shape(caller.scope, changed)


@router.delete(_ONE, summary="Remove an endpoint")
async def remove(endpoint: str, means: TheMeans, caller: Admin) -> RemovedEndpointShape:
    """It is told nothing more, and its secret is forgotten."""
    async with means.database.begin() as db:
        await flow.remove(db, caller.scope, endpoint)
    return RemovedEndpointShape(id=endpoint)


@router.post(_ONE + "/rotate", summary="Replace an endpoint's secret")
async def rotate(
    request: Request,
    endpoint: str,
    means: TheMeans,
    caller: Admin,
    params: RotateParams | None = None,
) -> EndpointShape:
    """The new `secret` is in this answer and in no other. Until the overlap is over, each event
    carries two signatures, so that your app can be changed at any moment of it.
    """
    overlap = timedelta(seconds=(params or RotateParams()).overlap_s)
    secret = await flow.rotate(means, caller.scope, endpoint, overlap)
    return await _shown_once(request, means, caller.scope, endpoint, secret)


@router.post(_ONE + "/test", summary="Send a test event")
async def test(endpoint: str, doors: TheDoors, caller: Admin) -> DeliveryShape:
    """An event of type `endpoint.test`, to this endpoint alone, within seconds; what became of it
    is in the list of its deliveries.
    """
    async with doors.means.database.begin() as db:
        delivery_id = await flow.test(db, caller.scope, endpoint)
        shown = delivery_shape(await deliveries.read(db, caller.scope, delivery_id))
    doors.waker.ring()
    return shown


@router.post(_ONE + "/recover", summary="Send what an endpoint missed")
async def recover(
    endpoint: str, params: RecoverParams, doors: TheDoors, caller: Admin
) -> RecoveredShape:
    """All events since then that it asks for and has not got, also those from before it was made.

    At most 10,000 at a time: `has_more` says whether to ask again.
    """
    since = datetime.fromtimestamp(params.since, UTC)
    found = await flow.recover(doors.means, caller.scope, endpoint, since)
    doors.waker.ring()
    return RecoveredShape(webhook_endpoint=endpoint, events=found.count, has_more=found.more)


@router.get(_ONE + "/deliveries", summary="List an endpoint's deliveries")
async def list_deliveries(
    request: Request,
    endpoint: str,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    state: Annotated[
        Literal["pending", "delivered", "failed"] | None, Query(description="How far they are.")
    ] = None,
) -> ListShape[DeliveryShape]:
    """Newest first, each with the last answer or error."""
    async with means.database.connect() as db:
        await endpoints.read(db, caller.scope, endpoint)
        rows, more = await deliveries.page(db, caller.scope, endpoint, page, state)
    return as_list(request, [delivery_shape(row) for row in rows], has_more=more)


def delivery_shape(row: Any) -> DeliveryShape:
    return DeliveryShape(
        id=row.delivery_id,
        event=row.event_id,
        webhook_endpoint=row.endpoint_id,
        state=row.state,
        sendings=row.sendings,
        last_status=row.last_status,
        last_error=row.last_error,
        answer=row.answer,
        sent_at=seconds(row.sent_at),
        next_try_at=None if row.ended_at else seconds(row.next_look_at),
        created=seconds(row.created_at) or 0,
    )


async def _shown_once(
    request: Request, means: Means, scope: Scope, endpoint_id: str, secret: str | None
) -> EndpointShape:
    """What is kept for a repetition of the request is not the secret."""
    async with means.database.connect() as db:
        shown = _shape(scope, await endpoints.read(db, scope, endpoint_id))
    keep_instead(request, shown.model_dump_json().encode())
    return shown.model_copy(update={"secret": secret})


def _shape(scope: Scope, endpoint: Endpoint) -> EndpointShape:
    return EndpointShape(
        id=endpoint.id,
        livemode=scope.livemode,
        url=endpoint.url,
        enabled_events=list(endpoint.types or (flow.ALL_EVENTS,)),
        description=endpoint.description,
        source=endpoint.source,
        status="enabled" if endpoint.status == endpoints.ENABLED else "disabled",
        secret=None,
        former_secret_until=seconds(endpoint.former_until),
        failing_since=seconds(endpoint.standing.failing_since),
        disabled_at=seconds(endpoint.disabled_at),
        disabled_why=endpoint.disabled_why,
        created=seconds(endpoint.created_at) or 0,
    )
