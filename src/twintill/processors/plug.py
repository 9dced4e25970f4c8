"""How a processor joins: its name, what the environment must say, and how it is opened.

A package outside offers a `Plug` as an entry point of the group `twintill.processors`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from twintill.processors import Processor

ENTRY_POINTS = "twintill.processors"


class ProcessorSettings(BaseSettings):
    """What the environment says of one processor; each field has a description and an example.

    A subclass names its `prefix` and sets `model_config = configured(prefix)`. A processor is
    configured when one of its variables is set; then a missing one stops the start.
    """

    prefix: ClassVar[str]

    def problems(self, *, livemode: bool) -> list[str]:
        """Sentences that stop the start; `livemode`: with a live Stripe key."""
        return []


def configured(prefix: str) -> SettingsConfigDict:
    """Frozen, empty means unset, strangers are ignored: as Twintill's own settings."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)


@dataclass(frozen=True, slots=True)
class Plug:
    """A processor that may be configured; `name` is its word in the webhook's address."""

    name: str
    settings: type[ProcessorSettings]
    open: Callable[[Any], Processor]  # of its own settings; raises SettingsError


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _http(value: str) -> str:
    if not re.match(r"https?://[^\s/]", value):
        raise ValueError("must be an address that begins with https://")
    return value.rstrip("/")


def _not_empty(given: tuple[Any, ...]) -> tuple[Any, ...]:
    if not given:
        raise ValueError("must hold at least one")
    return given


# Separated by commas. What verifies a webhook is never nothing.
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_not_empty)]
Secrets = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_not_empty)
]
HttpUrl = Annotated[str, BeforeValidator(_http)]
