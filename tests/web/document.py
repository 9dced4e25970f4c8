"""The API's document, made once for all tests that read it."""

from typing import Any

from twintill.web.frame import create_app

DOCUMENT: dict[str, Any] = create_app(None).openapi()  # type: ignore[arg-type]
