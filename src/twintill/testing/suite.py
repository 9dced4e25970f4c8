"""The file that pytest collects for `python -m twintill.testing`: the contract on each stage."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pkgutil import resolve_name

import pytest
import pytest_asyncio

from twintill.testing.contract import Contract
from twintill.testing.stage import Stage
from twintill.testing.table import STAGE


@dataclass(frozen=True)
class Named:
    """A stage, and the head of its column."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Stage]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every case once on each stage that the command named."""
    stages = list(_read(metafunc.config.getoption("--stage")))
    metafunc.parametrize(STAGE, stages, ids=[stage.name for stage in stages], scope="class")


class TestContract(Contract):
    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def theatre(  # type: ignore[override]  # a fixture asks for what it needs
        cls, played_on: Named
    ) -> AsyncIterator[Stage]:
        async with played_on.open() as stage:
            yield stage


def _read(words: Sequence[str]) -> Iterator[Named]:
    """`acme` for `tests.stages:acme_stage`, unless another is called so too."""
    short = {word: word.rpartition(":")[2].removesuffix("_stage") or word for word in words}
    times = Counter(short.values())
    for word, name in short.items():
        yield Named(name if times[name] == 1 else word, resolve_name(word))
