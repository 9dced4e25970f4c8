"""/v1/brakes: which processors are paused, and pausing and resuming one."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.flows import brakes as flow
from twintill.store import brakes
from twintill.store.brakes import Brake
from twintill.web.api import Admin, Reader, api_router
from twintill.web.auth import Caller
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.examples import shown
from twintill.web.pagination import seconds

router = api_router("brakes")


class BrakeShape(BaseModel):
    """One pause of one processor."""

    id: str
    object: Literal["brake"] = "brake"
    processor: str
    paused: bool = Field(description="Whether it is on; false: it was resumed.")
    why: str
    paused_by: str = Field(description="`tripwire:...`, `person:...` or `api:...`.")
    paused_at: int
    resumed_at: int | None
    resumed_by: str | None
    resumed_why: str | None

    model_config = shown(
        id="brk_4Yk9n2bT7xQz1LmN8vRc3WpD",
        processor="sandbox",
        paused=True,
        why="their status page says that they are down",
        paused_by="person:ada",
        paused_at=1795252800,
        resumed_at=None,
        resumed_by=None,
        resumed_why=None,
    )


class BrakesShape(BaseModel):
    """Those that are on, then the latest."""

    object: Literal["list"] = "list"
    data: list[BrakeShape]


class WhyParams(BaseModel):
    """Kept with it, and told to the app."""

    why: Annotated[
        str, Field(min_length=1, max_length=500, description="Told to whoever meets the brake.")
    ]

    model_config = shown(why="their status page says that they are down")


class ResumedShape(BrakeShape):
    """With what begins to move again."""

    payments_waiting: int

    model_config = shown(
        id="brk_4Yk9n2bT7xQz1LmN8vRc3WpD",
        processor="sandbox",
        paused=False,
        why="their status page says that they are down",
        paused_by="person:ada",
        paused_at=1795252800,
        resumed_at=1795256400,
        resumed_by="person:ada",
        resumed_why="it is green again",
        payments_waiting=12,
    )


@router.get("/v1/brakes", summary="Which processors are paused")
async def list_all(means: TheMeans, caller: Reader) -> BrakesShape:
    """The latest hundred; those that are on first."""
    async with means.database.connect() as db:
        return BrakesShape(data=[_shape(b) for b in await brakes.history(db, caller.scope)])


@router.post("/v1/brakes/{processor}/pause", summary="Pause a processor")
async def pause(processor: str, params: WhyParams, means: TheMeans, caller: Admin) -> BrakeShape:
    """No charge begins through it; look-ups and reports go on."""
    async with means.database.begin() as db:
        await flow.pause(db, caller.scope, processor, params.why, caller.actor)
        return _shape(await _latest(db, caller, processor))


@router.post("/v1/brakes/{processor}/resume", summary="Resume a processor")
async def resume(processor: str, params: WhyParams, doors: TheDoors, caller: Admin) -> ResumedShape:
    """Charges begin again, those that waited first."""
    async with doors.means.database.begin() as db:
        waited = await flow.resume(db, caller.scope, processor, params.why, caller.actor)
        shown = _shape(await _latest(db, caller, processor))
    doors.waker.ring()
    return ResumedShape(**shown.model_dump(), payments_waiting=waited)


async def _latest(db: AsyncConnection, caller: Caller, processor: str) -> Brake:
    latest = await brakes.history(db, caller.scope, 1, processor=processor)
    return latest[0]


def _shape(brake: Brake) -> BrakeShape:
    return BrakeShape(
        id=brake.id,
        processor=brake.processor,
        paused=brake.on,
        why=brake.why,
        paused_by=brake.tripped_by,
        paused_at=_at(brake.tripped_at),
        resumed_at=seconds(brake.released_at),
        resumed_by=brake.released_by,
        resumed_why=brake.released_why,
    )


def _at(moment: datetime) -> int:
    return int(moment.timestamp())
