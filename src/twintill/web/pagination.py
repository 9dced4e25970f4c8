"""Lists in Stripe's shape: {object: "list", data, has_more, url}, by cursor."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from twintill.errors import BadRequest
from twintill.store.listing import Created, Page

Item = TypeVar("Item", bound=BaseModel)
_Id = Annotated[str | None, Query(max_length=255)]
# Stripe's times are whole seconds; the year 9999 is far enough.
_Seconds = Annotated[int | None, Query(ge=0, lt=253_402_300_799)]


class ListShape(BaseModel, Generic[Item]):
    """One page, newest first."""

    object: Literal["list"] = "list"
    url: str
    has_more: bool
    data: list[Item]


def page_of(
    limit: Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100.")] = 10,
    starting_after: _Id = None,
    ending_before: _Id = None,
) -> Page:
    """A dependency: `page: ThePage`."""
    if starting_after is not None and ending_before is not None:
        raise BadRequest("Use starting_after or ending_before, not both.", param="ending_before")
    return Page(limit, starting_after, ending_before)


def created_range(
    gt: Annotated[_Seconds, Query(alias="created[gt]")] = None,
    gte: Annotated[_Seconds, Query(alias="created[gte]")] = None,
    lt: Annotated[_Seconds, Query(alias="created[lt]")] = None,
    lte: Annotated[_Seconds, Query(alias="created[lte]")] = None,
) -> Created:
    """A dependency: created[gt], [gte], [lt], [lte], as Stripe's lists have it."""
    return Created(gt_s=gt, gte_s=gte, lt_s=lt, lte_s=lte)


ThePage = Annotated[Page, Depends(page_of)]
CreatedRange = Annotated[Created, Depends(created_range)]


def as_list(request: Request, rows: list[Item], *, has_more: bool) -> ListShape[Item]:
    return ListShape(url=request.url.path, has_more=has_more, data=rows)


def seconds(moment: datetime | None) -> int | None:
    """As Stripe tells times."""
    return None if moment is None else int(moment.timestamp())
