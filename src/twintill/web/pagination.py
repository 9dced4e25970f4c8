"""Lists in Stripe's shape: {object: "list", data, has_more, url}, by cursor."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from twintill.errors import BadRequest
from twintill.store.listing import Created, Page

Item = TypeVar("Item", bound=BaseModel)


def only(description: str) -> Any:
    """A filter of a list, by an id: `customer: Annotated[str | None, only("...")] = None`."""
    return Query(max_length=255, description=description)


def _time(name: str, words: str) -> Any:
    """Stripe's times are whole seconds; the year 9999 is far enough."""
    said = f"Only those created {words} then (Unix seconds)."
    return Query(alias=name, ge=0, lt=253_402_300_799, description=said)


class ListShape(BaseModel, Generic[Item]):
    """One page, newest first."""

    object: Literal["list"] = "list"
    url: str
    has_more: bool
    data: list[Item]


def page_of(
    limit: Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100.")] = 10,
    starting_after: Annotated[str | None, only("The last id of the page before.")] = None,
    ending_before: Annotated[str | None, only("The first id of the page after it.")] = None,
) -> Page:
    """A dependency: `page: ThePage`."""
    if starting_after is not None and ending_before is not None:
        raise BadRequest("Use starting_after or ending_before, not both.", param="ending_before")
    return Page(limit, starting_after, ending_before)


def created_range(
    gt: Annotated[int | None, _time("created[gt]", "after")] = None,
    gte: Annotated[int | None, _time("created[gte]", "at or after")] = None,
    lt: Annotated[int | None, _time("created[lt]", "before")] = None,
    lte: Annotated[int | None, _time("created[lte]", "at or before")] = None,
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


def seconds_of(written: str) -> int:
    """The same of a time that was kept as text (ISO 8601)."""
    return int(datetime.fromisoformat(written).timestamp())
