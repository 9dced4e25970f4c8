"""The demo: its books see every cent, its browser reads forms, and it leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from twintill.demo.books import Books, Movement, Posting, StripeInvoice, compare
from twintill.demo.browser import read_page
from twintill.demo.processes import running_processes
from twintill.demo.tills import TILLS, till_of
from twintill.demo.trouble import DemoError, ProcessDied, StoryBroken
from twintill.sandbox import postgres

DEMO = Path(".twintill/demo")
on_linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc")

CLEARING = "processor:acct_1:clearing"
INVOICE = StripeInvoice("in_1", "A-1", "cus_1", "paid", "EUR", 4900, 4900, 4900, "tw-1")
BY_CARD = StripeInvoice("in_2", "B-1", "cus_2", "paid", "EUR", 4900, 4900, 0, None)
VOID = StripeInvoice("in_3", "C-1", "cus_3", "void", "EUR", 4900, 0, 0, None)
GOOD = Books(
    invoices=[INVOICE, BY_CARD, VOID],
    movements=[Movement("tw-1", "EUR", 4900)],
    processor_balance={"EUR": 4900},
    postings=[
        Posting(CLEARING, "EUR", 4900, "in_1"),
        Posting("customer:unapplied", "EUR", -4900, "in_1"),
        Posting("customer:unapplied", "EUR", 4900, "in_1"),
        Posting("stripe:reported", "EUR", -4900, "in_1"),
    ],
)
TWICE = [*GOOD.movements, Movement("tw-1", "EUR", 4900)]
ELSEWHERE = [*GOOD.movements, Movement("tw-9", "EUR", 100)]
UNREPORTED = GOOD.postings[:2]


def test_books_that_agree_say_so_row_by_row() -> None:
    comparison = compare(GOOD)
    assert comparison.differences == []
    assert [row.verdict for row in comparison.rows] == ["agrees", "not ours", "agrees"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (replace(GOOD, movements=TWICE), "the processor has 98.00 EUR"),
        (replace(GOOD, movements=[]), "the processor has 0.00 EUR"),
        (replace(GOOD, movements=ELSEWHERE), "tw-9, which is on no invoice"),
        (replace(GOOD, processor_balance={"EUR": 4899}), "the clearing account"),
        (replace(GOOD, postings=UNREPORTED), "the ledger has reported 0.00 EUR"),
        (replace(GOOD, postings=GOOD.postings[:3]), "the sum of all postings"),
        (replace(GOOD, invoices=[BY_CARD, VOID]), "in_1, which Stripe does not show"),
        (
            replace(GOOD, invoices=[replace(INVOICE, off_stripe_minor=0), BY_CARD, VOID]),
            "Stripe shows paid out of band 0.00 EUR",
        ),
        (
            replace(GOOD, invoices=[replace(INVOICE, reference=None), BY_CARD, VOID]),
            "tw-1, which is on no invoice",
        ),
    ],
)
def test_a_cent_that_one_book_has_and_another_has_not_is_told(wrong: Books, says: str) -> None:
    assert any(says in difference for difference in compare(wrong).differences)


def test_fees_and_payouts_are_compared_with_what_the_processor_shows() -> None:
    settled = [
        Posting("fee:there", "EUR", 100, None),
        Posting(CLEARING, "EUR", -100, None),
        Posting("bank:transit", "EUR", 4800, None),
        Posting(CLEARING, "EUR", -4800, None),
    ]
    paid_out = replace(
        GOOD,
        postings=[*GOOD.postings, *settled],
        processor_balance={"EUR": 0},
        fees={"EUR": 100},
        paid_out={"EUR": 4800},
    )
    assert compare(paid_out).differences == []
    dearer = replace(paid_out, fees={"EUR": 101}, paid_out={"EUR": 4799})
    told = compare(dearer).differences
    assert [words.partition(":")[0] for words in told] == [
        "what it kept as fees",
        "what it paid out",
    ]


def test_a_cheque_is_in_the_ledger_and_not_at_the_processor() -> None:
    cheque = [
        Posting("hand:undeposited", "EUR", 6000, "in_1"),
        Posting("customer:credit", "EUR", -1100, "in_1"),
        Posting("stripe:reported", "EUR", -4900, "in_1"),
    ]
    by_hand = replace(GOOD, movements=[], processor_balance={}, postings=cheque)
    assert compare(by_hand).differences == []
    too_little = replace(by_hand, postings=[replace(cheque[0], amount_minor=5900), *cheque[1:]])
    assert any("people have 48.00 EUR" in said for said in compare(too_little).differences)


def test_the_browser_reads_what_a_form_would_send() -> None:
    html = """<title>no</title><form method="post" action="/go"><input name="a" value="1">
    <select name="c"><option value="">?</option><option value="DE" selected>Germany</option>
    </select>
    <input type="radio" name="m" value="x"><input type="radio" name="m" value="y" checked>
    <button name="b" value="2">Pay <b>now</b></button></form>"""
    page = read_page("http://shop/", 200, html)
    form = page.form_with("m")
    assert (form.action, form.method) == ("/go", "post")
    assert form.fields == {"a": "1", "c": "DE", "m": "y"}
    assert form.buttons == {"Pay now": ("b", "2")}
    assert page.words == "? Germany Pay now"
    with pytest.raises(StoryBroken, match="no form that asks for 'zip'"):
        page.form_with("zip")


@pytest.mark.parametrize(
    ("processor", "act", "says"),
    [
        ("stripe", 1, "There is no processor 'stripe' to play with: choose one of .*sandbox"),
        *((name, 2, "Act 2 is played with the sandbox") for name in TILLS if name != "sandbox"),
    ],
)
def test_what_is_not_played_is_refused_with_a_sentence(processor: str, act: int, says: str) -> None:
    with pytest.raises(DemoError, match=says):
        till_of(processor, act)


async def test_a_child_that_ends_by_itself_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with running_processes(tmp_path) as processes:
        await processes.start("web", "nonsense", environment=os.environ)
        with pytest.raises(ProcessDied, match=r"'web' ended(?s:.*)No such command"):
            await processes.watch()


async def test_a_command_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    async with running_processes(tmp_path) as processes:
        with pytest.raises(DemoError, match="`twintill nonsense` failed"):
            await processes.run("nonsense", "nonsense", environment=os.environ)


@on_linux
@pytest.mark.timeout(300)
def test_the_whole_story_holds_and_kept_running_it_answers(tmp_path: Path) -> None:
    with _demo(tmp_path, "--keep") as demo:
        _wait(lambda: "Everything keeps running" in _told(tmp_path) or demo.poll() is not None)
        assert "agree to the cent" in _told(tmp_path), _told(tmp_path)
        noted = _environment(tmp_path)
        payments = httpx.get(
            f"{noted['TWINTILL_PUBLIC_URL']}/v1/payments?limit=100",
            headers={"authorization": f"Bearer {noted['TWINTILL_API_KEY']}"},
        )
        states = Counter(payment["state"] for payment in payments.json()["data"])
        assert states == {"reported": 10, "canceled": 1}
        children = _descendants(demo.pid)
        assert len(children) >= 4
        demo.send_signal(signal.SIGINT)
        assert demo.wait() == 0
        _wait_for_the_end(tmp_path, children)
    assert not (tmp_path / DEMO / "env").exists()


@on_linux
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_stopped_early_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _demo(tmp_path) as demo:
        _wait(lambda: len(_descendants(demo.pid)) >= 4)
        children = _descendants(demo.pid)
        demo.send_signal(number)
        assert demo.wait() == (-number if number == signal.SIGKILL else 130)
        _wait_for_the_end(tmp_path, children)


@contextlib.contextmanager
def _demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`twintill demo` in a folder of its own; its cluster is removed afterwards."""
    command = [sys.executable, "-m", "twintill", "demo", *arguments]
    with (folder / "told").open("wb") as told:
        demo = subprocess.Popen(command, cwd=folder, stdout=told, stderr=told)
        try:
            yield demo
        finally:
            demo.terminate()
            demo.wait()
            postgres.discard(folder / DEMO / "pg")


def _told(folder: Path) -> str:
    return (folder / "told").read_text()


def _environment(folder: Path) -> Mapping[str, str]:
    lines = (folder / DEMO / "env").read_text().splitlines()
    pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
    return {name: value.strip("'") for name, value in pairs}


def _wait_for_the_end(folder: Path, children: set[int]) -> None:
    """Of the demo's children, and of its PostgreSQL, which is nobody's child."""
    _wait(lambda: not any(_is_alive(pid) for pid in children))
    _wait(lambda: not _postmaster(folder).exists())


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, listing.read_text().split()):
                found |= {child, *_descendants(child)}
    return found


def _is_alive(pid: int) -> bool:
    """A zombie is not: in a container nobody may be there to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _postmaster(folder: Path) -> Path:
    home, moved = folder / DEMO / "pg", folder / DEMO / "pg/moved"
    return (Path(moved.read_text()) if moved.exists() else home) / "data/postmaster.pid"


def _wait(until: Callable[[], object]) -> None:
    """As long as the test's own time-out allows."""
    while not until():
        time.sleep(0.1)
