"""What is answered instead of a resource: one envelope, with a type, reasons and fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twintill.errors import TwintillError

_DOCUMENTATION = "https://developer.gocardless.com/api-reference#"
Json = dict[str, Any]


class Mistake(TwintillError):
    """The request did nothing."""

    def __init__(
        self,
        code: int,
        kind: str,
        message: str,
        errors: list[Json],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind  # invalid_api_usage, invalid_state, validation_failed, gocardless
        self.errors = errors
        self.headers = headers or {}

    def to_json(self, request_id: str) -> Json:
        first = self.errors[0].get("reason", self.kind) if self.errors else self.kind
        return {
            "error": {
                "message": str(self),
                "errors": self.errors,
                "documentation_url": f"{_DOCUMENTATION}{first}",
                "type": self.kind,
                "request_id": request_id,
                "code": self.code,
            }
        }


def wrong_usage(
    code: int, reason: str, message: str, headers: Mapping[str, str] | None = None
) -> Mistake:
    """The request itself is wrong: its address, credentials, headers or form."""
    errors: list[Json] = [{"reason": reason, "message": message}]
    return Mistake(code, "invalid_api_usage", message, errors, headers)


def wrong_state(reason: str, message: str, code: int = 422, **links: str) -> Mistake:
    """The resource is not in a state that allows it."""
    error: Json = {"reason": reason, "message": message}
    return Mistake(code, "invalid_state", message, [error | ({"links": links} if links else {})])


def invalid(resource: str, field: str, message: str, reason: str | None = None) -> Mistake:
    """A field of the body is missing or cannot be taken."""
    pointer = f"/{resource}/{field.replace('.', '/')}"
    error: Json = {"field": field, "message": message, "request_pointer": pointer}
    more = {} if reason is None else {"reason": reason}
    return Mistake(422, "validation_failed", "Validation failed", [error | more])


def already_created(resource_id: str) -> Mistake:
    """The same idempotency key came again: what was made the first time is named."""
    message = "A resource has already been created with this idempotency key"
    return wrong_state(
        "idempotent_creation_conflict", message, 409, conflicting_resource_id=resource_id
    )


def not_there(what: str) -> Mistake:
    return wrong_usage(404, "resource_not_found", f"{what} not found")


def link_not_there(what: str) -> Mistake:
    """[assumed] Which status it has is documented nowhere that was read; 404 as for resources."""
    return wrong_usage(404, "link_not_found", f"{what} not found")


def out_of_order() -> Mistake:
    message = "An error occurred while processing your request"
    errors: list[Json] = [{"reason": "internal_server_error", "message": message}]
    return Mistake(500, "gocardless", message, errors)
