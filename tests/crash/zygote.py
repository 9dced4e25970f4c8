"""The zygote: has imported everything, and forks a process of ours for whoever writes to it.

In: an order, pickled, its length before it. Out: a line when one was started, one when it ended.
"""

import functools
import os
import pickle
import select
import signal
import ssl
import sys
from typing import BinaryIO

from stripe._object_classes import get_object_class

from tests.crash import victim

LENGTH_BYTES = 8


def main() -> None:
    """Until its standard input ends; then everything that it forked is killed."""
    _warm_up()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    orders = sys.stdin.buffer
    alive: set[int] = set()
    while True:
        ready, _, _ = select.select([orders.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(alive)
        if orders.fileno() in ready:
            order = _read(orders)
            if order is None:
                break
            pid = os.fork()
            if pid == 0:
                _become(order, woken, wake)
            alive.add(pid)
            print("started", pid, flush=True)  # noqa: T201 -- a pipe
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _warm_up() -> None:
    """What each process would do anew: read the machine's certificates (nothing here speaks TLS),
    and import what Stripe's client imports late."""
    vars(ssl)["create_default_context"] = functools.cache(ssl.create_default_context)
    for name in ("account", "customer", "invoice", "payment_intent", "subscription"):
        get_object_class("V1", name)


def _read(orders: BinaryIO) -> victim.Order | None:
    # Unbuffered: what is left in a buffer here, select would not tell of.
    length = os.read(orders.fileno(), LENGTH_BYTES)
    if not length:
        return None
    rest, pickled = int.from_bytes(length), b""
    while len(pickled) < rest:
        pickled += os.read(orders.fileno(), rest - len(pickled))
    order: victim.Order = pickle.loads(pickled)
    return order


def _reap(alive: set[int]) -> None:
    for pid in list(alive):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            alive.remove(pid)
            print("ended", pid, os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _become(order: victim.Order, *fds: int) -> None:
    """Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in fds:
            os.close(fd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        victim.main(order)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
