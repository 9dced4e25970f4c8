"""What the sandbox Stripe answers when it refuses: Stripe's error bodies as exceptions."""

from __future__ import annotations

from typing import Any

from twintill.errors import TwintillError

DOCS = "https://docs.stripe.com/error-codes#"


class Refusal(TwintillError):
    """An error body with its HTTP status.

    `executed` says whether the call had begun to run: only then is its answer kept under the
    idempotency key (a parameter that fails validation leaves no trace).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        executed: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.executed = executed

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"type": self.type, "message": str(self)}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = DOCS + self.code.replace("_", "-")
        if self.param is not None:
            error["param"] = self.param
        if self.decline_code is not None:
            error["decline_code"] = self.decline_code
        return {"error": error}


def missing(noun: str, id: str, param: str | None = None, *, status: int = 404) -> Refusal:
    """No such object."""
    return Refusal(
        f"No such {noun}: '{id}'", status=status, code="resource_missing", param=param or "id"
    )


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Refusal:
    """A parameter that fails validation before anything runs."""
    return Refusal(message, code=code, param=param, executed=False)
