"""A real processor's API over the engine: requests in its words, pure and without HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import parse_qsl

from twintill.sandbox.processor.deliveries import Letters
from twintill.sandbox.processor.dialect import Dialect
from twintill.sandbox.processor.objects import Json
from twintill.sandbox.processor.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    query: str = ""  # as in the URL
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    body: bytes = b""
    base_url: str = "http://processor"  # how its caller, and a browser, reaches this server

    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `replayed` where an idempotency key repeated an earlier answer."""

    status: int
    body: Json | Sequence[Json] | bytes | None = None  # JSON, or as it is; None: nothing
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Charging:
    """What the line must know of a request that charges: whose token, and under which key."""

    token: str
    key: str


class Face(Dialect, Letters, Protocol):
    """One processor's stand-in: its words for the engine, and its API. State is per object."""

    busy: set[str]  # keys of requests that are being worked on

    def serve(self, world: World, call: Call, now: datetime) -> Reply:
        """Answers one request, the refused ones too; `agenda.catch_up` came before."""

    def charging(self, call: Call) -> Charging | None:
        """None: the request charges nothing, or cannot be read."""

    def out_of_order(self) -> Reply:
        """How it says that something broke inside of it."""

    def forget(self) -> None:
        """The world began anew."""
