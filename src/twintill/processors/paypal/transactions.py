"""PayPal's transaction search: the only place where a charge is found by our own reference.

Source: the Transaction Search v1 reference: at most 31 days and 10,000 rows a question, 500 rows a
page, three years back; an executed transaction shows after at most three hours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import ChargeOutcome, LookUp, NoAnswer, NotFound, NotSent
from twintill.processors import Search, transport
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    read_json,
    text_of,
    time_of,
    words_of,
)
from twintill.processors.paypal import answers
from twintill.processors.paypal.line import Line
from twintill.processors.paypal.refusals import could_not, is_missing, read_problem

Clock = Callable[[], datetime]

# Three hours are documented; refreshes that are late happen, and cost nothing but patience.
LAG = timedelta(hours=6)
LONGEST = timedelta(days=31)
_SHORTEST = timedelta(minutes=1)
_KEPT = timedelta(days=3 * 365)
_PAGE_SIZE = 500
_MOST_CAPTURES = 5


@dataclass(frozen=True, slots=True)
class Question:
    """One page of one window; as text, where a list goes on."""

    start: datetime
    end: datetime
    page: int = 1

    def __str__(self) -> str:
        return json.dumps([self.start.isoformat(), self.end.isoformat(), self.page])


@dataclass(frozen=True, slots=True)
class Page:
    """The rows' `transaction_info`; `refreshed`: how far PayPal's reports reach by now."""

    rows: tuple[Json, ...]
    pages: int
    refreshed: datetime | None


class TooMany:
    """More rows than one question may have."""


class NotYet:
    """The reports do not reach so far by now."""


async def find_charge(line: Line, search: Search, clock: Clock | None) -> LookUp:
    """NotFound only when every page of the whole time was read, and the reports are up to date.

    `clock`: what bounds the time and tells that reports are late; None with a stand-in, whose time
    is its own.
    """
    if clock is not None and search.since < clock() - _KEPT:
        return NoAnswer("PayPal's reports reach back three years, and this was sent before")
    try:
        async with asyncio.timeout(transport.DEADLINE_S):
            return await _find(line, search, clock)
    except TimeoutError:
        return NoAnswer(f"PayPal's reports could not be read within {transport.DEADLINE_S:g} s")
    except Unreadable as error:
        return NoAnswer(f"a report that cannot be believed: {error}")


async def ask(
    line: Line, question: Question, *, size: int = _PAGE_SIZE, more: str = ""
) -> Page | TooMany | NotYet | NoAnswer | NotSent:
    """One request. Raises Unreadable."""
    query = (
        f"start_date={_time(question.start)}&end_date={_time(question.end)}"
        f"&fields=transaction_info&page_size={size}&page={question.page}{more}"
    )
    answer = await line.send("GET", f"/v1/reporting/transactions?{query}")
    if not isinstance(answer, httpx.Response):
        return answer
    if answer.status_code != 200:
        return _read_refusal(answer)
    return read_page(answer.content)


def read_page(body: bytes) -> Page:
    """Raises Unreadable."""
    page = read_json(body)
    rows = []
    for row in list_of(page, "transaction_details"):
        if not isinstance(row, dict):
            raise Unreadable("a transaction is not an object")
        rows.append(object_of(row, "transaction_info"))
    pages = page.get("total_pages")
    if type(pages) is not int or not 0 <= pages <= 10_000:
        raise Unreadable("total_pages is not a number")
    return Page(tuple(rows), pages, time_of(page, "last_refreshed_datetime"))


def first_question(since: datetime, clock: Clock | None) -> Question:
    return Question(since, _end(since, clock))


def parse_question(text: str) -> Question:
    """Raises Unreadable for what `str` of one never was."""
    try:
        start, end, page = json.loads(text)
        question = Question(datetime.fromisoformat(start), datetime.fromisoformat(end), page)
        if type(page) is not int or not timedelta(0) < question.end - question.start <= LONGEST:
            raise ValueError(text)
    except (ValueError, TypeError):
        raise Unreadable("not where a report of PayPal's goes on") from None
    return question


def next_question(asked: Question, page: Page, clock: Clock | None) -> Question | None:
    """The next page, else the next window; None at the end of the reports."""
    if asked.page < page.pages:
        return replace(asked, page=asked.page + 1)
    reached = page.refreshed or (clock or _now)()
    if asked.end >= reached:
        return None
    return Question(asked.end, _end(asked.end, clock))


def first_half(asked: Question) -> Question:
    """Raises Unreadable where it cannot be shorter."""
    if asked.end - asked.start <= _SHORTEST:
        raise Unreadable("more transactions in a minute than PayPal's reports can list")
    return Question(asked.start, asked.start + (asked.end - asked.start) / 2)


async def _find(line: Line, search: Search, clock: Clock | None) -> LookUp:
    found: dict[str, None] = {}
    refreshed: datetime | None = None
    other: NoAnswer | None = None
    windows = [_window(search, clock)]
    while windows:
        start, end = windows.pop()
        read = await _read_window(line, start, end)
        if isinstance(read, NoAnswer | NotSent):
            return read
        if isinstance(read, TooMany):
            if end - start <= _SHORTEST:
                return NoAnswer("more transactions in a minute than PayPal's reports can list")
            middle = start + (end - start) / 2
            windows += [(middle, end), (start, middle)]
            continue
        if isinstance(read, NotYet):
            if clock is not None and start < clock() - LAG:
                return NoAnswer("PayPal's reports are late")
            break
        rows, refreshed = read
        other = other or _under_another(rows, search)
        found |= dict.fromkeys(_captures(rows, search.reference))
        following = _following(search, end, refreshed, clock)
        if not windows and following is not None:
            windows.append(following)
    if found:
        return await _confirm(line, list(found), search.reference)
    if other is not None:
        return other
    if clock is not None and refreshed is not None and refreshed < clock() - LAG:
        return NoAnswer(f"PayPal's reports are late: they reach until {refreshed.isoformat()}")
    return NotFound()


def _window(search: Search, clock: Clock | None) -> tuple[datetime, datetime]:
    end = _end(search.since, clock)
    return search.since, end if search.until is None else max(
        search.since + _SHORTEST, min(end, search.until)
    )


def _following(
    search: Search, end: datetime, refreshed: datetime | None, clock: Clock | None
) -> tuple[datetime, datetime] | None:
    """The window behind this one, up to the end of the search and of the reports."""
    reached = refreshed or (clock or _now)()
    last = reached if search.until is None else min(reached, search.until)
    if end >= last:
        return None
    behind = _end(end, clock)
    return end, behind if search.until is None else min(behind, search.until)


async def _read_window(
    line: Line, start: datetime, end: datetime
) -> tuple[list[Json], datetime | None] | TooMany | NotYet | NoAnswer | NotSent:
    """All rows of it, those that moved nothing too: a pending capture is one."""
    rows: list[Json] = []
    question = Question(start, end)
    while True:
        page = await ask(line, question, more="&balance_affecting_records_only=N")
        if not isinstance(page, Page):
            return page
        rows += page.rows
        if question.page >= page.pages:
            return rows, page.refreshed
        question = replace(question, page=question.page + 1)


def _captures(rows: list[Json], reference: str) -> list[str]:
    """Transactions under our reference that are payments; refunds may repeat it."""
    ours = [row for row in rows if row.get("custom_field") == reference]
    payments = [row for row in ours if _is_payment(row)]
    if ours and not payments:
        raise Unreadable("transactions under our reference, and no payment among them")
    return [text_of(row, "transaction_id") for row in payments]


def _under_another(rows: list[Json], search: Search) -> NoAnswer | None:
    """A payment for the same invoice that this attempt did not make: PayPal refuses a second."""
    if search.body is None:
        return None
    invoice_id = read_json(search.body)["purchase_units"][0].get("invoice_id")
    for row in rows:
        taken = words_of(row, "transaction_status") in ("S", "P")
        if row.get("custom_field") == search.reference:
            continue
        if invoice_id and row.get("invoice_id") == invoice_id and taken and _is_payment(row):
            there = words_of(row, "transaction_id")
            why = f"PayPal has a payment for {invoice_id} that is not this one: {there}"
            return NoAnswer(why, taken=True)
    return None


def _is_payment(row: Json) -> bool:
    return words_of(row, "transaction_event_code").startswith("T00")


async def _confirm(line: Line, capture_ids: list[str], reference: str) -> LookUp:
    """The report says that it is there; only the capture itself says what became of it."""
    if len(capture_ids) > _MOST_CAPTURES:
        raise Unreadable(f"{len(capture_ids)} captures under one reference")
    outcomes: list[ChargeOutcome] = []
    for capture_id in capture_ids:
        answer = await line.send("GET", f"/v2/payments/captures/{quote(capture_id, safe='')}")
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 200:
            return could_not(answer, f"ask for the capture {capture_id}")
        outcomes.append(answers.read_capture_with(answer.content, capture_id, reference))
    return answers.choose(outcomes)


def _read_refusal(answer: httpx.Response) -> TooMany | NotYet | NoAnswer:
    problem = read_problem(answer.content)
    words = f"{problem.name} {' '.join(problem.issues)} {problem.text}"
    if "RESULTSET_TOO_LARGE" in words:
        return TooMany()
    if not is_missing(answer) and "start date is not available" in words:
        return NotYet()
    return could_not(answer, "search PayPal's transactions")


def _end(start: datetime, clock: Clock | None) -> datetime:
    """At most 31 days behind the start, and not in the future."""
    end = start + LONGEST
    return end if clock is None else max(start + _SHORTEST, min(end, clock()))


def _time(moment: datetime) -> str:
    return quote(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")


def _now() -> datetime:
    return datetime.now(UTC)
