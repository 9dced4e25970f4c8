"""What the story must know of the processor that it is played with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

from twintill.demo.books import Movement
from twintill.demo.people import Buyer


@dataclass(frozen=True, slots=True)
class Words:
    """How the story speaks of it."""

    title: str = "the processor"  # in the middle of a sentence
    short: str = "processor"  # in a column
    collector: str = "another processor"
    owner: str = "the processor's"
    method: str = "a card"
    charged: str = "charged"
    # Why nothing else tells what the missing answer would have told.
    silence: str = "the processor's webhooks are an hour late, its list of events is down"
    decline: str = "Ben's renewal is declined"
    records: str = "the processor's transactions"
    late: str = "Dan's bank debit is accepted; it takes two days"


@dataclass(frozen=True, slots=True)
class TillBook:
    """What the processor's own records say of our money, as a merchant reads them.

    `balances`: what it owes us now; `fees` and `paid_out`: what it kept, and sent to our bank.
    """

    movements: Sequence[Movement]
    balances: Mapping[str, int]
    fees: Mapping[str, int] = field(default_factory=dict)
    paid_out: Mapping[str, int] = field(default_factory=dict)


class Till(Protocol):
    """One processor's part in the story: everything that is not the same with every other."""

    name: str  # of its sandbox, and in its webhooks' address
    words: Words
    tells_later: bool  # each charge is only ordered, and told of days later
    first_choice: str  # on its page
    troubles: Mapping[Buyer, str]  # what some choose after the first month: trouble ahead
    asks_again: timedelta  # when a missing answer has been asked for
    found_as: tuple[str, ...]  # the state of a payment whose lost charge was found
    debit_takes: timedelta  # from the day that is named, else from the order, until it is told
    settles_after: timedelta | None  # until all is in its reports, paid out; None: it has none

    def command(self, port: str, webhook_url: str) -> tuple[str, ...]:
        """`twintill ...`: its sandbox as a process."""

    async def settings(self, address: str, folder: Path) -> dict[str, str]:
        """What `serve` and `worker` are told of it; `folder`: for files that they name."""

    def client(self, address: str) -> httpx.AsyncClient:
        """As the merchant asks it."""

    async def charges(self, http: httpx.AsyncClient, reference: str | None = None) -> list[Any]:
        """Those in its book; with this reference of ours."""

    async def keeps_silent(self, http: httpx.AsyncClient) -> None:
        """Else a webhook would tell of Cleo's charge before anybody misses the answer."""

    async def how_it_was_found(
        self, http: httpx.AsyncClient, invoice_id: str, attempt: Any
    ) -> list[str]:
        """In its own way, after its answer was lost. Raises StoryBroken."""

    async def what_is_left(self, http: httpx.AsyncClient, customer_id: str) -> str:
        """Of a set-up that its customer abandoned. Raises StoryBroken if it could still be used."""

    async def is_revoked(self, http: httpx.AsyncClient, token: str) -> bool:
        """Whether nothing can be pulled with this token any more."""

    async def read_book(self, http: httpx.AsyncClient, now: datetime) -> TillBook:
        """All of it, page by page; `now` on the clock that all share."""
