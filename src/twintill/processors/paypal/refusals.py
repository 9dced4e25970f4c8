"""Reads PayPal's error answers: what a refusal proves of a request that moves money. Pure.

Source: the Orders v2 reference, Errors: {"name", "message", "debug_id", "details": [{"issue"}]}.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from twintill.domain.outcomes import Declined, DeclineKind, NoAnswer, NotSent, NotSentReason
from twintill.errors import ProcessorError, ProcessorRefused, ProcessorUnreachable
from twintill.processors import transport
from twintill.processors.fields import Unreadable, read_json, words_of
from twintill.processors.paypal import declines

# A page of somebody on the way has none of PayPal's own names.
_NAMES = frozenset(
    (
        "AUTHENTICATION_FAILURE",
        "INVALID_REQUEST",
        "INVALID_RESOURCE_ID",
        "NOT_AUTHORIZED",
        "RESOURCE_CONFLICT",
        "RESOURCE_NOT_FOUND",
        "RESULTSET_TOO_LARGE",
        "UNPROCESSABLE_ENTITY",
    )
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error answer; `name` is empty where it is none of PayPal's."""

    name: str
    issues: tuple[str, ...]
    text: str
    debug_id: str

    @property
    def code(self) -> str:
        return self.issues[0] if self.issues else self.name


def read_problem(body: bytes) -> Problem:
    try:
        fields = read_json(body)
    except Unreadable:
        return Problem("", (), "", "")
    details = fields.get("details")
    rows = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    issues = tuple(words_of(one, "issue")[:80] for one in rows)
    text = words_of(rows[0], "description") if rows else ""
    name = words_of(fields, "name")[:80]
    return Problem(
        name if name in _NAMES else "",
        tuple(issue for issue in issues if issue),
        (text or words_of(fields, "message"))[:500],
        words_of(fields, "debug_id")[:80],
    )


def read_refusal(answer: httpx.Response, invoice_id: str) -> Declined | NotSent | NoAnswer:
    """What the refusal of a charge proves: every issue of it has to be in the tables."""
    problem = read_problem(answer.content)
    if declines.DUPLICATE_INVOICE_ID in problem.issues:
        return NoAnswer(
            f"PayPal has a payment for the invoice {invoice_id} already, and refuses a second one "
            f"(DUPLICATE_INVOICE_ID): look for that invoice id in PayPal's activity",
            taken=True,
        )
    said_no = answer.status_code in (403, 422) and bool(problem.issues)
    if said_no and all(issue in declines.DECLINES for issue in problem.issues):
        return Declined(declines.DECLINES[problem.code], problem.code, problem.text)
    return _not_sent(answer.status_code, problem) or NoAnswer(_told(answer.status_code, problem))


def read_refund_refusal(answer: httpx.Response) -> Declined | NotSent | NoAnswer:
    """What the refusal of a refund proves."""
    problem = read_problem(answer.content)
    issues = problem.issues
    if answer.status_code == 422 and issues and set(issues) <= declines.NOT_GIVEN_BACK:
        return Declined(DeclineKind.HARD, problem.code, problem.text)
    return _not_sent(answer.status_code, problem) or NoAnswer(_told(answer.status_code, problem))


def read_forbidden(answer: httpx.Response) -> NotSent | None:
    """403: with PayPal's own words, the app is not allowed to; else the key is suspected.

    None: it is a decline, of the payer who has to consent.
    """
    problem = read_problem(answer.content)
    if problem.name and problem.code in declines.DECLINES:
        return None
    if problem.name == "NOT_AUTHORIZED":
        why = declines.not_sent_because(problem.code)
        sentence = why[1] if why else declines.CONFIG["PERMISSION_DENIED"]
        return NotSent(NotSentReason.CONFIG, _in_words(sentence, 403, problem))
    return NotSent(NotSentReason.CREDENTIALS, "HTTP 403")


def is_missing(answer: httpx.Response) -> bool:
    """Said by PayPal itself, not by a wrong address on the way."""
    if answer.status_code != 404:
        return False
    return read_problem(answer.content).name in ("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")


def could_not(answer: httpx.Response, what: str) -> NoAnswer:
    return NoAnswer(f"could not {what}: {_told(answer.status_code, read_problem(answer.content))}")


def as_error(answer: httpx.Response | NotSent | NoAnswer) -> ProcessorError:
    """For calls that move no money, which raise."""
    if isinstance(answer, NotSent) and answer.reason is NotSentReason.CONFIG:
        return ProcessorRefused(f"PayPal refused: {answer.detail}.", code="config")
    if not isinstance(answer, httpx.Response):
        return transport.as_error(answer)
    if answer.status_code < 400:
        return ProcessorUnreachable(f"PayPal answered HTTP {answer.status_code}.")
    problem = read_problem(answer.content)
    why = declines.not_sent_because(problem.code)
    told = _told(answer.status_code, problem)
    sentence = f"{why[1]} ({told})" if why else f"{told} {problem.text}".rstrip(". ")
    return ProcessorRefused(f"PayPal refused: {sentence}.", code=problem.code or None)


def _not_sent(status: int, problem: Problem) -> NotSent | None:
    if status not in (400, 422) or not problem.name or not problem.issues:
        return None
    reasons = [declines.not_sent_because(issue) for issue in problem.issues]
    if reasons[0] is None or None in reasons:
        return None
    reason, sentence = reasons[0]
    return NotSent(reason, _in_words(sentence, status, problem))


def _in_words(sentence: str, status: int, problem: Problem) -> str:
    return f"{sentence} ({_told(status, problem)})"


def _told(status: int, problem: Problem) -> str:
    parts = [f"HTTP {status}", problem.code]
    if problem.debug_id:
        parts.append(f"debug id {problem.debug_id}")
    return " ".join(part for part in parts if part)
