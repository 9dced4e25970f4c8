"""The rules of the house (ARCHITECTURE.md), kept as an ordinary test."""

import ast
import functools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "twintill"
SOURCES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MIGRATIONS = sorted((ROOT / "migrations").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
EVERYTHING = [*SOURCES, *TESTS, *MIGRATIONS, *BENCHMARKS]

# Names that say nothing: whatever lives under them belongs somewhere by what it does.
EMPTY_NAMES = re.compile(r"(services?|repositor(y|ies)|managers?|utils?|helpers?|common)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
# Below the wiring, time is an argument, or the database's.
BELOW_THE_WIRING = ("domain", "flows", "store")
CLOCKS = {"now", "utcnow", "today", "time", "time_ns"}
# Where amounts pass, no float does.
MONEY = ("domain", "money.py", "processors", "stripe_billing", "flows")
MAY_PRINT = ("cli", "cli.py")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part(*names: str) -> list[Path]:
    """The source files in these folders or of these names."""
    chosen = [SOURCE / n for n in names]
    return [p for p in SOURCES if any(p == c or c in p.parents for c in chosen)]


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, what it is called on (empty for a plain name), and what is called."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, ast.unparse(node.func.value), node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, "", node.func.id


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_files_stay_small() -> None:
    limits = [*((p, 400) for p in SOURCES), *((p, 600) for p in TESTS)]
    lines = {p: len(p.read_text().splitlines()) for p, _ in limits}
    assert not [f"{name(p)}: {lines[p]} lines" for p, limit in limits if lines[p] > limit]


def test_functions_stay_small() -> None:
    long = [
        f"{name(p)}:{f.lineno} {f.name}: {lines} lines"
        for p in [*SOURCES, *TESTS]
        for f in functions(p)
        if (lines := (f.end_lineno or f.lineno) - f.lineno + 1) > 60
    ]
    assert not long


def test_each_module_says_what_it_is() -> None:
    assert not [name(p) for p in EVERYTHING if not ast.get_docstring(tree(p))]


def test_no_file_or_class_has_an_empty_name() -> None:
    files = [name(p) for p in EVERYTHING if EMPTY_NAMES.fullmatch(p.stem)]
    folders = {name(f) for p in EVERYTHING for f in p.parents if EMPTY_NAMES.fullmatch(f.name)}
    classes = [
        f"{name(p)}:{node.lineno} {node.name}"
        for p in SOURCES
        for node in ast.walk(tree(p))
        if isinstance(node, ast.ClassDef)
        and re.search(r"(Service|Repository|Manager|Util|Utils|Helper|Common)$", node.name)
    ]
    assert not [*files, *folders, *classes]


def test_time_is_an_argument_below_the_wiring() -> None:
    found = [
        f"{name(p)}:{line} {on}.{what}()"
        for p in part(*BELOW_THE_WIRING)
        for line, on, what in calls(p)
        if what in CLOCKS and re.search(r"(^|\.)(datetime|date|time)$", on)
    ]
    assert not found


def test_money_is_never_a_float() -> None:
    converted = [
        f"{name(p)}:{n} float()" for p in part(*MONEY) for n, _, f in calls(p) if f == "float"
    ]
    divided = [
        f"{name(p)}:{node.lineno} {ast.unparse(node)}"
        for p in part(*MONEY)
        for node in ast.walk(tree(p))
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and "_minor" in ast.unparse(node)
    ]
    assert not [*converted, *divided]


def test_nothing_is_left_unfinished() -> None:
    marked = [
        f"{name(p)}:{line}"
        for p in EVERYTHING
        if UNFINISHED.search(p.read_text())
        for line, text in comments(p)
        if UNFINISHED.search(text)
    ]
    refused = [
        f"{name(p)}:{node.lineno}"
        for p in EVERYTHING
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
    ]
    assert not [*marked, *refused]


def test_no_test_mocks_our_own_code() -> None:
    mocks = [
        f"{name(p)}:{node.lineno}"
        for p in EVERYTHING
        for node in ast.walk(tree(p))
        if (isinstance(node, ast.ImportFrom) and node.module in ("unittest", "unittest.mock"))
        or (isinstance(node, ast.Import) and any(a.name.startswith("unittest") for a in node.names))
    ]
    assert not mocks


def test_only_the_terminal_is_printed_to() -> None:
    silent = set(SOURCES) - set(part(*MAY_PRINT))
    assert not [
        f"{name(p)}:{n}" for p in silent for n, on, what in calls(p) if (on, what) == ("", "print")
    ]


def test_only_the_command_line_and_the_demo_know_the_sandbox() -> None:
    outside = set(SOURCES) - set(part("sandbox", "cli", "cli.py", "demo"))
    imports = re.compile(
        r"^\s*(from|import) twintill\.sandbox|^\s*from twintill import .*sandbox", re.MULTILINE
    )
    assert not [name(p) for p in outside if imports.search(p.read_text())]


def test_the_lock_has_hashes_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pinned = re.split(r"\n(?=\S)", lock.strip())
    assert pinned
    assert not [p.split()[0] for p in pinned if "--hash=sha256:" not in p]


@pytest.mark.parametrize("planted", ["service.py", "helpers.py", "utils.py", "common.py"])
def test_the_rule_about_names_has_teeth(planted: str) -> None:
    assert EMPTY_NAMES.fullmatch(Path(planted).stem)
