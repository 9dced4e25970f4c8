"""Reads PayPal's disputes, and asks for them.

Source: the Customer Disputes v1 reference. A list shows summaries: which charge is disputed, and
where its money is, only each one's own page tells.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import structlog

from twintill.domain.money_back import DECIDED, LOSSES, DisputeStage
from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.money import Money
from twintill.processors import DisputePage, SeenDispute
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    read_json,
    text_of,
    words_of,
)
from twintill.processors.paypal.answers import money_of
from twintill.processors.paypal.line import Line
from twintill.processors.paypal.refusals import could_not, is_missing

_log = structlog.get_logger(__name__)
_PATH = "/v1/customer/disputes"
# Each of a page is asked for by itself: few enough for one look.
_PAGE = 10
_OPENED = frozenset(("OPEN", "WAITING_FOR_BUYER_RESPONSE", "WAITING_FOR_SELLER_RESPONSE", "OTHER"))
_OUTCOMES = {
    "RESOLVED_SELLER_FAVOUR": DisputeStage.WON,
    "CANCELED_BY_BUYER": DisputeStage.WON,
    "DENIED": DisputeStage.WON,
    "RESOLVED_BUYER_FAVOUR": DisputeStage.LOST,
    "ACCEPTED": DisputeStage.ACCEPTED,
}
_FEES = frozenset(("DISPUTE_FEE", "CHARGEBACK_FEE", "DISPUTE_SETTLEMENT_FEE"))


async def get(line: Line, dispute_id: str) -> SeenDispute | NotFound | NoAnswer | NotSent:
    dispute = await _ask(line, dispute_id)
    if isinstance(dispute, NotFound | NoAnswer | NotSent):
        return dispute
    try:
        return read_dispute(dispute)
    except Unreadable as error:
        return NoAnswer(f"a dispute that cannot be believed: {error}")


async def list_since(
    line: Line, opened_since: datetime, after: str | None
) -> DisputePage | NoAnswer | NotSent:
    since = opened_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    query = f"page_size={_PAGE}&start_time={quote(since, safe='')}"
    if after is not None:
        query += f"&next_page_token={quote(after, safe='')}"
    answer = await line.send("GET", f"{_PATH}?{query}")
    if not isinstance(answer, httpx.Response):
        return answer
    if answer.status_code != 200:
        return could_not(answer, "list disputes")
    try:
        ids, following = read_page(answer.content)
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")
    seen: list[SeenDispute] = []
    for dispute_id in ids:
        dispute = await _ask(line, dispute_id)
        if isinstance(dispute, NoAnswer | NotSent):
            return dispute
        if isinstance(dispute, NotFound):
            continue
        try:
            seen.append(read_dispute(dispute))
        except Unreadable as error:
            # One that cannot be read hides no other; its webhook is parked for a person.
            _log.warning("dispute_unreadable", dispute=dispute_id, why=str(error))
    return DisputePage(tuple(seen), following)


async def _ask(line: Line, dispute_id: str) -> Json | NotFound | NoAnswer | NotSent:
    """That dispute's page, and no other."""
    answer = await line.send("GET", f"{_PATH}/{quote(dispute_id, safe='')}")
    if not isinstance(answer, httpx.Response):
        return answer
    if is_missing(answer):
        return NotFound()
    if answer.status_code != 200:
        return could_not(answer, "ask for the dispute")
    try:
        dispute = read_json(answer.content)
    except Unreadable as error:
        return NoAnswer(f"a dispute that cannot be believed: {error}")
    if dispute.get("dispute_id") != dispute_id:
        return NoAnswer("another dispute than was asked for")
    return dispute


def read_page(body: bytes) -> tuple[list[str], str | None]:
    """Which disputes are listed, and the token of the next page. Raises Unreadable."""
    page = read_json(body)
    # Without any dispute there may be no items; then there are links.
    items = page.get("items", [] if "links" in page else None)
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise Unreadable("not a list of disputes")
    return [text_of(one, "dispute_id") for one in items], _next_token(page)


def read_dispute(dispute: Json) -> SeenDispute:
    """A customer's claim, how far it has come, and where its money is. Raises Unreadable."""
    transactions = list_of(dispute, "disputed_transactions")
    if len(transactions) != 1 or not isinstance(transactions[0], dict):
        raise Unreadable(f"a dispute of {len(transactions)} transactions")
    amount = money_of(dispute, "dispute_amount")
    if amount.minor <= 0:
        raise Unreadable("a dispute of nothing")
    left, fee = _moved(dispute, amount)
    gone = None if left is None else left > 0
    stage = _stage(dispute, gone=gone)
    if stage in LOSSES and left is not None and 0 < left != amount.minor:
        # Settled with a part, or with more: credited as disputed, the books would be wrong by it.
        raise Unreadable(f"a claim of {amount} that took {Money(left, amount.currency)}: book it")
    withheld = gone if gone is not None else stage in LOSSES
    return SeenDispute(
        dispute_id=text_of(dispute, "dispute_id"),
        processor_payment_id=text_of(transactions[0], "seller_transaction_id"),
        amount=amount,
        stage=stage,
        withheld=withheld,
        fee=fee,
        reason=words_of(dispute, "reason") or None,
    )


def reference_of(dispute: Json) -> str | None:
    """Our reference of the disputed charge, where it is shown."""
    transactions = list_of(dispute, "disputed_transactions")
    first = transactions[0] if transactions and isinstance(transactions[0], dict) else {}
    return words_of(first, "custom") or None


def _stage(dispute: Json, *, gone: bool | None) -> DisputeStage:
    status = text_of(dispute, "status")
    if status in _OPENED:
        return DisputeStage.OPENED
    if status == "UNDER_REVIEW":
        return DisputeStage.UNDER_REVIEW
    if status != "RESOLVED":
        raise Unreadable(f"unknown status {status[:40]!r}")
    code = text_of(object_of(dispute, "dispute_outcome"), "outcome_code")
    stage = _OUTCOMES.get(code)
    if stage is None and gone is not None:
        # RESOLVED_WITH_PAYOUT, NONE and newer ones: where the money is, decides.
        stage = DisputeStage.LOST if gone else DisputeStage.WON
    if stage is None or stage not in DECIDED:
        raise Unreadable(f"unknown outcome {code[:40]!r}")
    return stage


def _moved(dispute: Json, amount: Money) -> tuple[int | None, Money | None]:
    """How much of it has left us, and what it cost; None: PayPal does not say."""
    movements = dispute.get("money_movements")
    if movements is None:
        return None, None
    if not isinstance(movements, list) or not all(isinstance(one, dict) for one in movements):
        raise Unreadable("money_movements is not a list of objects")
    left, cost = 0, 0
    for movement in movements:
        if movement.get("affected_party") != "SELLER":
            continue
        moved = money_of(movement, "amount")
        way = {"DEBIT": 1, "CREDIT": -1}.get(words_of(movement, "type"))
        if way is None or moved.currency != amount.currency:
            raise Unreadable("a movement of money that cannot be read")
        if words_of(movement, "reason") in _FEES:
            cost += way * abs(moved.minor)
        else:
            left += way * abs(moved.minor)
    return left, Money(cost, amount.currency) if cost > 0 else None


def _next_token(page: Json) -> str | None:
    """The link leads on; of it only the token is used, never the address."""
    links = page.get("links") or []
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "next":
            tokens = parse_qs(urlsplit(text_of(link, "href")).query).get("next_page_token")
            if not tokens:
                raise Unreadable("a next page without its token")
            return tokens[0]
    return None
