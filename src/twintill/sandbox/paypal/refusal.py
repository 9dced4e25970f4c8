"""PayPal's errors: a name, a message, and the issues that say what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twintill.errors import TwintillError
from twintill.sandbox.processor.face import Reply
from twintill.sandbox.processor.objects import Json

_MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "AUTHENTICATION_FAILURE": (
        "Authentication failed due to missing authorization header, "
        "or invalid authentication credentials."
    ),
    "NOT_AUTHORIZED": "Authorization failed due to insufficient permissions.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "RESOURCE_CONFLICT": "The server has detected a conflict while processing this request.",
    "UNPROCESSABLE_ENTITY": (
        "The requested action could not be performed, semantically incorrect, "
        "or failed business validation."
    ),
    "INTERNAL_SERVER_ERROR": "An internal server error has occurred.",
}
_STATUS = {
    "INVALID_REQUEST": 400,
    "AUTHENTICATION_FAILURE": 401,
    "NOT_AUTHORIZED": 403,
    "RESOURCE_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "UNPROCESSABLE_ENTITY": 422,
    "INTERNAL_SERVER_ERROR": 500,
}


@dataclass(frozen=True, slots=True)
class Issue:
    code: str
    description: str
    field: str | None = None
    value: str | None = None


class PayPalRefusal(TwintillError):
    """The request did nothing."""

    def __init__(
        self,
        name: str,
        *issues: Issue,
        status: int | None = None,
        message: str | None = None,
        links: list[Json] | None = None,
    ) -> None:
        super().__init__(message or _MESSAGES[name])
        self.name = name
        self.issues = issues
        self.status = status or _STATUS[name]
        self.links = links

    def to_reply(self, debug_id: str) -> Reply:
        body: Json = {"name": self.name, "message": str(self), "debug_id": debug_id}
        if self.issues:
            body["details"] = [_detail(issue, self.status) for issue in self.issues]
        body["links"] = [_information(issue.code) for issue in self.issues] + (self.links or [])
        return Reply(self.status, body)


def invalid(code: str, field: str, description: str, value: object = None) -> PayPalRefusal:
    """400: a field of the request."""
    shown = None if value is None else str(value)[:100]
    return PayPalRefusal("INVALID_REQUEST", Issue(code, description, field, shown))


def missing(field: str) -> PayPalRefusal:
    return invalid("MISSING_REQUIRED_PARAMETER", field, "A required field / parameter is missing.")


def unprocessable(
    code: str, description: str, field: str | None = None, links: list[Json] | None = None
) -> PayPalRefusal:
    """422: understood, and not done."""
    return PayPalRefusal("UNPROCESSABLE_ENTITY", Issue(code, description, field), links=links)


def not_found(field: str = "id") -> PayPalRefusal:
    text = "Specified resource ID does not exist. Please check the resource ID and try again."
    return PayPalRefusal("RESOURCE_NOT_FOUND", Issue("INVALID_RESOURCE_ID", text, field))


def _detail(issue: Issue, status: int) -> Json:
    told: Mapping[str, str | None] = {
        "field": issue.field,
        "value": issue.value,
        "location": "body" if status == 400 and issue.field else None,
        "issue": issue.code,
        "description": issue.description,
    }
    return {name: value for name, value in told.items() if value is not None}


def _information(code: str) -> Json:
    page = f"https://developer.paypal.com/api/rest/reference/orders/v2/errors/#{code}"
    return {"href": page, "rel": "information_link", "method": "GET"}
