"""The load generator, a process of its own: signed Stripe events over kept connections.

`python -m benchmarks.load`, told by one JSON line on standard input what to do: it writes a line
when its requests are made and signed, starts at the next line, and answers with the figures.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

EVENT = Path(__file__).parents[1] / "tests/data/stripe/events/invoice.finalized.one_off_jpy.json"
_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: for `seconds`, at most `requests`, over so many connections."""

    port: int
    path: str
    secret: str
    connections: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it; everything that was not answered 200 is a failure."""

    answered: int
    failed: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float


def event_body() -> bytes:
    """One event as Stripe sends it, as compact as the wire allows."""
    return json.dumps(json.loads(EVENT.read_text()), separators=(",", ":")).encode()


def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    requests = list(_requests(order))
    print("ready", flush=True)
    sys.stdin.readline()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_send(order, requests))
    print(json.dumps(asdict(figures)), flush=True)


def _requests(order: Order) -> Iterator[bytes]:
    """Each with an id of its own and signed, so that nothing but sending is left to do."""
    body, run = event_body(), secrets.token_hex(6)
    event_id = json.loads(body)["id"].encode()
    signed_at = str(int(time.time())).encode()
    for n in range(order.requests):
        mine = body.replace(event_id, f"evt_{run}{n:08d}".encode())
        signed = hmac.new(order.secret.encode(), signed_at + b"." + mine, hashlib.sha256)
        yield (
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nAccept: */*\r\n"
            b"Stripe-Signature: t=%s,v1=%s\r\nContent-Length: %d\r\n\r\n%s"
        ) % (
            order.path.encode(),
            signed_at,
            signed.hexdigest().encode(),
            len(mine),
            mine,
        )


async def _send(order: Order, requests: list[bytes]) -> Figures:
    loop = asyncio.get_running_loop()
    pile = _Pile(requests[::-1])
    lines = []
    for _ in range(order.connections):
        _, line = await loop.create_connection(lambda: _Line(pile), "127.0.0.1", order.port)
        lines.append(line)
    began = time.perf_counter()
    pile.ends_at = began + order.seconds
    for line in lines:
        line.send_next()
    async with asyncio.timeout(order.seconds + _DEADLINE_S):
        await asyncio.gather(*(line.done for line in lines))
    return _figures(pile, time.perf_counter() - began)


def _figures(pile: "_Pile", elapsed_s: float) -> Figures:
    took = sorted(pile.took_s) or [0.0]
    return Figures(
        answered=len(pile.took_s),
        failed=pile.failed,
        elapsed_s=elapsed_s,
        p50_ms=took[len(took) // 2] * 1000,
        p99_ms=took[min(len(took) - 1, len(took) * 99 // 100)] * 1000,
    )


class _Pile:
    """What is left to send, and what came back."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.ends_at = 0.0
        self.took_s: list[float] = []
        self.failed = 0


class _Line(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is complete."""

    def __init__(self, pile: _Pile) -> None:
        self._pile = pile
        self._transport: Any = None
        self._answer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send_next(self) -> None:
        self._sent_at = time.perf_counter()
        if self._sent_at >= self._pile.ends_at or not self._pile.requests:
            self._transport.close()
            return
        self._transport.write(self._pile.requests.pop())

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        if head.startswith(b"HTTP/1.1 200"):
            self._pile.took_s.append(time.perf_counter() - self._sent_at)
        else:
            self._pile.failed += 1
        self._answer = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    main()
