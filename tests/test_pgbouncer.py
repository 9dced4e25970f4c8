"""Through PgBouncer in transaction mode everything works, with the setting and a direct address."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows.world import running_world
from tests.postgres import Database
from tests.test_worker import becomes
from twintill import worker
from twintill.domain.payment import State
from twintill.store.database import open_database

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(
    PGBOUNCER is None, reason="no pgbouncer on this machine (Debian: apt-get install pgbouncer)"
)


@pytest.fixture
def pooled_url(database: Database, tmp_path: Path) -> Iterator[str]:
    """The runtime role's address through a pooler with fewer servers than clients."""
    at = urlsplit(database.url)
    port = _free_port()
    ini = tmp_path / "pgbouncer.ini"
    (tmp_path / "users.txt").write_text(f'"{at.username}" "{at.password}"\n')
    ini.write_text(
        f"[databases]\n* = host={at.hostname} port={at.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {tmp_path}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 3\n"
    )
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)
    command = [str(PGBOUNCER), str(ini)]
    if os.geteuid() == 0:  # it refuses to run as root
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"postgresql://{at.username}:{at.password}@127.0.0.1:{port}{at.path}"
    finally:
        process.terminate()
        process.wait()


async def test_a_worker_collects_through_the_pooler(database: Database, pooled_url: str) -> None:
    async with running_world(database) as world:
        pooled = open_database(pooled_url, pool_size=6, pgbouncer=True)
        means = replace(world.means, database=pooled)
        customer_id = await world.customer()
        invoice_ids = [await world.invoice(customer_id) for _ in range(3)]
        for invoice_id in invoice_ids:
            await world.open_payment(invoice_id, customer_id)
        stop = asyncio.Event()
        run = asyncio.create_task(
            worker.run(means, database_url=database.url, concurrency=4, stop=stop)
        )
        for invoice_id in invoice_ids:
            await becomes(State.REPORTED, world, invoice_id)
        stop.set()
        await run
        await pooled.dispose()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("pgbouncer did not start")
