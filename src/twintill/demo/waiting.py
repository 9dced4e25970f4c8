"""Waiting for what other processes do: by asking, with a deadline, never by a fixed pause."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from twintill.demo.trouble import StoryBroken

_PAUSE_S, _PAUSE_MAX_S = 0.05, 0.25
_READY_S = 60.0
Answer = TypeVar("Answer")


async def until(what: str, ask: Callable[[], Awaitable[Answer]], within_s: float) -> Answer:
    """Asks again and again until the answer is true-ish. Raises StoryBroken."""
    pause_s = _PAUSE_S
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await ask()):
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.3, _PAUSE_MAX_S)
            return answer
    except TimeoutError:
        raise StoryBroken(f"This did not happen within {within_s:.0f} s: {what}") from None


async def until_it_answers(url: str) -> None:
    """A server that is starting. Raises StoryBroken."""
    async with httpx.AsyncClient(trust_env=False) as client:

        async def ask() -> bool:
            try:
                return (await client.get(url)).is_success
            except httpx.TransportError:
                return False

        await until(f"{url} answers", ask, _READY_S)
