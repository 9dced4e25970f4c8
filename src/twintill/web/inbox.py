"""/v1/inbox: events that are parked for a person, and another try for one of them."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from twintill.store import inbox_rows
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.examples import shown
from twintill.web.pagination import ListShape, as_list, seconds

router = api_router("inbox")
_Id = Annotated[int, Path(ge=1, lt=2**63)]
_BehindId = Annotated[
    int | None, Query(ge=1, lt=2**63, description="The last id of the page before.")
]
_Limit = Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100.")]


class ParkedEventShape(BaseModel):
    """An event that could not be taken in; its delivery is kept, and nothing waits behind it."""

    id: int
    object: Literal["inbox_event"] = "inbox_event"
    source: str = Field(description="`stripe`, or `<processor>:<processor account>`.")
    event: str | None = Field(description="Its id at the sender.")
    type: str
    about: str | None = Field(description="The object that it is about, as far as it was read.")
    why: str | None
    tries: int
    parked: int
    created: int

    model_config = shown(
        id=4711,
        source="stripe",
        event="evt_1PgafmB7WZ01zgkW",
        type="invoice.finalized",
        about="in_1PgafmB7WZ01zgkW6dKueIc5",
        why="an invoice status that this version does not know",
        tries=5,
        parked=1795252860,
        created=1795252800,
    )


class ReplayedShape(BaseModel):
    """A worker looks at it again, with all its tries."""

    id: int
    object: Literal["inbox_event"] = "inbox_event"
    state: Literal["new"] = "new"

    model_config = shown(id=4711)


@router.get("/v1/inbox/parked", summary="List events that are parked")
async def list_parked(
    request: Request,
    means: TheMeans,
    caller: Reader,
    limit: _Limit = 10,
    starting_after: _BehindId = None,
) -> ListShape[ParkedEventShape]:
    """Newest first."""
    async with means.database.connect() as db:
        rows = await inbox_rows.list_parked(db, caller.scope, limit + 1, starting_after)
    return as_list(request, [_shape(r) for r in rows[:limit]], has_more=len(rows) > limit)


@router.post("/v1/inbox/{event}/replay", summary="Try a parked event again")
async def replay(event: _Id, doors: TheDoors, caller: Admin) -> ReplayedShape:
    """E.g. after an update that can read it. What was taken in already has no second effect."""
    async with doors.means.database.begin() as db:
        await inbox_rows.replay(db, caller.scope, event)
    doors.waker.ring()
    return ReplayedShape(id=event)


def _shape(row: Any) -> ParkedEventShape:
    return ParkedEventShape(
        id=row.inbox_id,
        source=row.source,
        event=row.dedupe_key,
        type=row.type,
        about=row.object_id,
        why=row.parked_why or row.note,
        tries=row.looks,
        parked=seconds(row.parked_at) or 0,
        created=seconds(row.created_at) or 0,
    )
