"""A pytest plugin: what each case came to with each processor, as a table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from _pytest.terminal import TerminalReporter

from twintill.testing.contract import Contract

STAGE = "played_on"  # the parameter of a case that says on which stage
PASSED, FAILED, NOT_APPLICABLE = "passed", "FAILED", "-"
_KNOWN_AS = {"passed": PASSED, "failed": FAILED, "skipped": NOT_APPLICABLE}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stage", action="append", default=[], metavar="MODULE:NAME", help="a processor's stage"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Table(), "twintill-contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each report carries what it belongs to, from other processes too."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_a_case(item):
            item.user_properties.append(("contract", (_processor(item), *_case(item))))


@dataclass
class Table:
    """Counts results as they come: nothing is in the table that did not run."""

    cells: dict[tuple[str, str], dict[str, Counter[str]]] = field(default_factory=dict)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        whose = dict(report.user_properties).get("contract")
        if not isinstance(whose, tuple | list) or (report.when != "call" and report.passed):
            return
        processor, part, case = (str(word) for word in whose)
        outcome = _KNOWN_AS[report.outcome]
        row = self.cells.setdefault((part, case), {})
        row.setdefault(processor, Counter())[outcome] += 1
        told = self.reasons.setdefault(processor, Counter())
        if outcome == NOT_APPLICABLE and isinstance(report.longrepr, tuple):
            told[report.longrepr[2].removeprefix("Skipped: ")] += 1

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self.cells:
            _write(terminalreporter, self.cells, self.reasons)


def _is_a_case(item: pytest.Function) -> bool:
    return item.cls is not None and issubclass(item.cls, Contract)


def _processor(item: pytest.Function) -> str:
    """Its stage by the name on the command line, or the class that tests it."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and STAGE in callspec.params:
        return str(callspec.params[STAGE].name)
    return str(item.cls.__name__).removeprefix("Test").lower()


def _case(item: pytest.Function) -> tuple[str, str]:
    """The part of the contract, and the case in words."""
    kind = next(kind for kind in item.cls.__mro__ if item.originalname in vars(kind))
    words = item.originalname.removeprefix("test_").replace("_", " ")
    return getattr(kind, "part", "Its own"), words


def _write(
    terminal: TerminalReporter,
    cells: Mapping[tuple[str, str], Mapping[str, Counter[str]]],
    reasons: Mapping[str, Counter[str]],
) -> None:
    processors = sorted(reasons)
    widest = max(len(words) for row in cells for words in row)
    widths = [max(len(name), 12) for name in processors]
    last = ""
    terminal.section("the contract of processors", "=")
    for (part, case), row in sorted(cells.items(), key=_place):
        if part != last:
            _line(terminal, part, processors, widest, widths, bold=True)
            last = part
        _line(
            terminal,
            case,
            [_cell(row.get(name)) for name in processors],
            widest,
            widths,
            red=any(FAILED in (row.get(name) or ()) for name in processors),
        )
    terminal.write_line("")
    for name in processors:
        _write_sum(terminal, name, [row[name] for row in cells.values() if name in row])
        for reason, times in sorted(reasons[name].items()):
            terminal.write_line(f"  - {reason} ({times})")


def _place(row: tuple[tuple[str, str], object]) -> int:
    """As the contract is composed; what a class of its own adds comes last."""
    parts = [getattr(kind, "part", None) for kind in Contract.__bases__]
    return parts.index(row[0][0]) if row[0][0] in parts else len(parts)


def _line(
    terminal: TerminalReporter,
    head: str,
    texts: Sequence[str],
    widest: int,
    widths: Iterable[int],
    **markup: bool,
) -> None:
    columns = "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True))
    terminal.write_line(f"  {head.ljust(widest)}  {columns}".rstrip(), **markup)


def _cell(counted: Counter[str] | None) -> str:
    """One word, and how many of its inputs where they differ."""
    if counted is None:
        return "not run"
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{counted[word]} {word}" for word in _KNOWN_AS.values() if counted[word])


def _write_sum(terminal: TerminalReporter, name: str, rows: Sequence[Counter[str]]) -> None:
    failed = sum(FAILED in row for row in rows)
    absent = sum(set(row) == {NOT_APPLICABLE} for row in rows)
    terminal.write_line(
        f"{name}: {len(rows) - failed - absent} cases passed, {failed} failed,"
        f" {absent} not applicable ({sum(sum(row.values()) for row in rows)} runs)",
        red=bool(failed),
        green=not failed,
    )
