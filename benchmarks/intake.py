"""(A) Webhook intake: acknowledged events a second, each durable before its 2xx.

Against what PostgreSQL alone does with the same two inserts, and against a route of the same
server that does nothing. No worker runs meanwhile.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from benchmarks import pgbench
from benchmarks.child import NOOP
from benchmarks.load import Figures, Order
from benchmarks.stage import REPOSITORY, Part, Stage, free_port, new_stage, wait_for_port
from twintill.sandbox.postgres import Cluster

SECRET = "whsec_bench"
STRIPE = "/webhooks/stripe"
FEW, MANY = 16, 64
_SECONDS = 1.5
_MOST_PER_S = 8000


@dataclass(frozen=True, slots=True)
class Sent:
    """One run of the load generator, and what the server's side used of the processors."""

    figures: Figures
    web_cpu_s: float
    postgres_cpu_s: float

    @property
    def per_s(self) -> float:
        return self.figures.answered / self.figures.elapsed_s


@dataclass
class Intake:
    """All runs, by what was run and over how many connections."""

    driver: str = ""
    durable: str = ""
    pgbench: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    each: dict[int, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    shared: dict[int, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    noop: dict[int, list[Sent]] = field(default_factory=lambda: defaultdict(list))


def measure(cluster: Cluster, rounds: int, ends_at: float, tell: Callable[[str], None]) -> Intake:
    """Interleaved, so that what else the machine does hits all alike."""
    intake = Intake()
    # Nobody is at that address: intake calls nobody.
    nobody = f"http://127.0.0.1:{free_port()}"
    settings = {
        "TWINTILL_STRIPE_API_BASE": nobody,
        "TWINTILL_SANDBOX_PROCESSOR_URL": nobody,
        "TWINTILL_STRIPE_WEBHOOK_SECRETS": SECRET,
    }
    with new_stage(cluster, "intake", settings) as stage:
        intake.durable = asyncio.run(_durability(stage))
        each, shared = free_port(), free_port()
        webs = {
            each: stage.start("web", each, "each", MANY),
            shared: stage.start("web", shared, "shared", 0),
        }
        for port, web in webs.items():
            wait_for_port(web, port)
            _send(stage, web, port, STRIPE, MANY, seconds=1.0)  # every connection is open by then
        for n in range(rounds):
            if n and time.monotonic() > ends_at:
                break  # a slow machine gets fewer rounds
            tell(f"intake, round {n + 1} of {rounds}")
            for connections in (FEW, MANY):
                asyncio.run(_settle(stage))
                alone = pgbench.run(stage, connections)
                intake.driver = alone.by
                intake.pgbench[connections].append(alone.per_s)
                for runs, port, path in (
                    (intake.each, each, STRIPE),
                    (intake.shared, shared, STRIPE),
                    (intake.noop, shared, NOOP),
                ):
                    asyncio.run(_settle(stage))
                    sent = _send(stage, webs[port], port, path, connections)
                    runs[connections].append(sent)
    return intake


def _send(
    stage: Stage, web: Part, port: int, path: str, connections: int, seconds: float = _SECONDS
) -> Sent:
    order = Order(port, path, SECRET, connections, int(seconds * _MOST_PER_S), seconds)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as load:
        try:
            assert load.stdin is not None
            assert load.stdout is not None
            load.stdin.write(json.dumps(asdict(order)) + "\n")
            load.stdin.flush()
            load.stdout.readline()
            web_before, postgres_before = web.cpu_s(), stage.postgres_cpu_s()
            said, _ = load.communicate("go\n", timeout=seconds + 60)
        finally:
            load.kill()
    figures = Figures(**json.loads(said))
    if figures.failed or not figures.answered:
        raise RuntimeError(f"{figures.failed} of the events were not acknowledged")
    return Sent(figures, web.cpu_s() - web_before, stage.postgres_cpu_s() - postgres_before)


async def _settle(stage: Stage) -> None:
    """The disk's debts are paid before the next run, not during it."""
    admin = await stage.admin()
    try:
        await admin.execute("CHECKPOINT")
    finally:
        await admin.close()


async def _durability(stage: Stage) -> str:
    admin = await stage.admin()
    try:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        shown = {name: await admin.fetchval(f"SHOW {name}") for name in names}
    finally:
        await admin.close()
    if (shown["fsync"], shown["synchronous_commit"]) != ("on", "on"):
        raise RuntimeError(f"this PostgreSQL is not durable: {shown}")
    return ", ".join(f"{name} {value}" for name, value in shown.items())
