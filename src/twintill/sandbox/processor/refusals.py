"""What the API answers instead of an object: one error, with a status, a code and a sentence."""

from typing import Any

from twintill.errors import TwintillError


class Refusal(TwintillError):
    """The request did nothing; the same one may do something later only where that is said."""

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.more = more

    def to_json(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": str(self), **self.more}}


def not_found(what: str, its_id: str) -> Refusal:
    return Refusal(404, "not_found", f"No such {what}: {its_id}")
