"""/v1/operations: those that are parked for a person, and another try for one of them."""

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field
from starlette.requests import Request

from twintill.store import parked_operations
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.examples import shown
from twintill.web.pagination import ListShape, ThePage, as_list, seconds

router = api_router("operations")
_Id = Annotated[str, Path(max_length=255)]


class ParkedOperationShape(BaseModel):
    """Something that takes several calls, and cannot go on by itself; what was done stands."""

    id: str
    object: Literal["operation"] = "operation"
    kind: str = Field(description="`signup`, `follow_on`, `drop_tokens`, `switch`, ...")
    step: str = Field(description="Where it stopped.")
    customer: str | None
    why: str
    parked: int
    created: int

    model_config = shown(
        id="op_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
        kind="follow_on",
        step="finalize",
        customer="cus_QXg1o8vcGmoR32",
        why="The customer's address is needed to compute tax.",
        parked=1795252860,
        created=1795252800,
    )


class ReplayedOperationShape(BaseModel):
    """A worker goes on with it, with all its tries."""

    id: str
    object: Literal["operation"] = "operation"
    state: Literal["new"] = "new"

    model_config = shown(id="op_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70")


@router.get("/v1/operations/parked", summary="List operations that are parked")
async def list_parked(
    request: Request, means: TheMeans, caller: Reader, page: ThePage
) -> ListShape[ParkedOperationShape]:
    """Newest first."""
    async with means.database.connect() as db:
        rows, has_more = await parked_operations.list_parked(db, caller.scope, page)
    return as_list(request, [_shape(row) for row in rows], has_more=has_more)


@router.post("/v1/operations/{operation}/replay", summary="Try a parked operation again")
async def replay(operation: _Id, doors: TheDoors, caller: Admin) -> ReplayedOperationShape:
    """Once the reason is mended. What it made already is found, not made again."""
    async with doors.means.database.begin() as db:
        await parked_operations.replay(db, caller.scope, operation)
    doors.waker.ring()
    return ReplayedOperationShape(id=operation)


def _shape(row: Any) -> ParkedOperationShape:
    return ParkedOperationShape(
        id=row.operation_id,
        kind=row.kind,
        step=row.step,
        customer=row.customer_id,
        why=row.parked_why or "",
        parked=seconds(row.parked_at) or 0,
        created=seconds(row.created_at) or 0,
    )
