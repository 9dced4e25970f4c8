"""Disputes: what customers claimed back through their banks, and how far each has come."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request

from twintill.domain.money_back import DisputeStage
from twintill.store.dispute_pages import list_disputes, read_dispute
from twintill.web.api import Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, only
from twintill.web.payments import dispute_shape
from twintill.web.shapes import DisputeShape

router = api_router("disputes")


@router.get("/v1/disputes", summary="List disputes")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    created: CreatedRange,
    payment: Annotated[str | None, only("Of this payment.")] = None,
    stage: Annotated[DisputeStage | None, Query(description="So far it has come.")] = None,
) -> ListShape[DisputeShape]:
    """Newest first. They are answered at the processor; here is what became of their money."""
    async with means.database.connect() as db:
        rows, has_more = await list_disputes(db, caller.scope, page, payment, stage, created)
    return as_list(request, [dispute_shape(row) for row in rows], has_more=has_more)


@router.get("/v1/disputes/{dispute}", summary="One dispute")
async def get_one(dispute: str, means: TheMeans, caller: Reader) -> DisputeShape:
    """Its stage, whether the processor holds the amount, and what it cost."""
    async with means.database.connect() as db:
        return dispute_shape(await read_dispute(db, caller.scope, dispute))
