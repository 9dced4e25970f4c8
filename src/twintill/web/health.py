"""Is it alive, may it get traffic, and what are the figures?"""

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import JSONResponse, Response

from twintill.store import figures
from twintill.store.figures import Waiting
from twintill.store.schema import is_behind
from twintill.web.doors import Doors, TheDoors
from twintill.web.problems import is_database_down

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; it says nothing of anybody else."""
    return {"status": "ok"}


@router.get("/readyz", response_class=JSONResponse)
async def readyz(doors: TheDoors) -> JSONResponse:
    """200 when it can do its work: the database answers, with the tables of this version."""
    checks = await _checks(doors)
    ready = all(said == "ok" for said in checks.values())
    body = {"status": "ok" if ready else "unavailable", **checks}
    return JSONResponse(body, 200 if ready else 503)


@router.get("/metrics", response_class=Response)
async def metrics(doors: TheDoors) -> Response:
    """For Prometheus. Counts only; still, keep it inside."""
    told = generate_latest(doors.figures.registry) + generate_latest(await _now(doors))
    return Response(told, media_type=CONTENT_TYPE_LATEST)


async def _checks(doors: Doors) -> dict[str, str]:
    try:
        async with doors.means.database.connect() as db:
            behind = await is_behind(db, doors.revisions)
    except Exception as error:
        if not is_database_down(error):
            raise
        return {"database": "unreachable", "migrations": "unknown"}
    return {"database": "ok", "migrations": "run `twintill migrate`" if behind else "ok"}


async def _now(doors: Doors) -> CollectorRegistry:
    """What only the database knows; without it the figures say that it is down."""
    waiting: list[Waiting] | None = None
    try:
        async with doors.means.database.connect() as db:
            waiting = await figures.waiting(db, doors.means.scope)
    except Exception as error:
        if not is_database_down(error):
            raise
    registry = CollectorRegistry()
    registry.register(_Waiting(waiting))
    return registry


class _Waiting(Collector):
    def __init__(self, waiting: list[Waiting] | None) -> None:
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        up = 0 if self._waiting is None else 1
        yield GaugeMetricFamily("twintill_database_up", "Whether the database answers.", up)
        due = GaugeMetricFamily("twintill_work_due", "Rows due by now.", labels=["kind"])
        parked = GaugeMetricFamily("twintill_work_parked", "Rows for a person.", labels=["kind"])
        overdue = GaugeMetricFamily(
            "twintill_work_overdue_seconds", "Age of the oldest row due.", labels=["kind"]
        )
        for kind in self._waiting or ():
            due.add_metric([kind.kind], kind.due)
            parked.add_metric([kind.kind], kind.parked)
            overdue.add_metric([kind.kind], kind.overdue_s)
        yield from (due, parked, overdue)
