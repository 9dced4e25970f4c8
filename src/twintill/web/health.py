"""Is it alive, may it get traffic, and what are the figures?"""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import JSONResponse, Response

from twintill.store import brakes, duties, endpoints, figures
from twintill.store.duties import Standing
from twintill.store.figures import Waiting
from twintill.store.pace import reads_today
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
    scope, known = doors.means.scope, None
    try:
        async with doors.means.database.connect() as db:
            known = _Known(
                await figures.waiting(db, scope),
                await duties.standings(db, scope),
                await reads_today(db, scope),
                {brake.processor for brake in await brakes.all_on(db, scope)},
                await endpoints.count(db, scope),
            )
    except Exception as error:
        if not is_database_down(error):
            raise
    registry = CollectorRegistry()
    registry.register(_Up(known is not None))
    if known is not None:
        registry.register(_Waiting(known.waiting))
        registry.register(_Duties(known.duties))
        registry.register(_Reads(known.reads_today, doors.means.stripe_reads_per_day))
        registry.register(_Endpoints(known.endpoints))
        registry.register(_Paused(known.paused | set(doors.means.processors), known.paused))
    return registry


@dataclass(frozen=True, slots=True)
class _Known:
    waiting: list[Waiting]
    duties: list[Standing]
    reads_today: int
    paused: set[str]  # names of processors
    endpoints: dict[str, int]


class _Up(Collector):
    def __init__(self, up: bool) -> None:  # noqa: FBT001 -- it is the figure
        self._up = up

    def collect(self) -> Iterator[Metric]:
        told = "Whether the database answers."
        yield GaugeMetricFamily("twintill_database_up", told, int(self._up))


class _Waiting(Collector):
    def __init__(self, waiting: list[Waiting]) -> None:
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        due = GaugeMetricFamily("twintill_work_due", "Rows due by now.", labels=["kind"])
        parked = GaugeMetricFamily("twintill_work_parked", "Rows for a person.", labels=["kind"])
        overdue = GaugeMetricFamily(
            "twintill_work_overdue_seconds", "Age of the oldest row due.", labels=["kind"]
        )
        for kind in self._waiting:
            due.add_metric([kind.kind], kind.due)
            parked.add_metric([kind.kind], kind.parked)
            overdue.add_metric([kind.kind], kind.overdue_s)
        yield from (due, parked, overdue)


class _Paused(Collector):
    def __init__(self, processors: set[str], paused: set[str]) -> None:
        self._processors, self._paused = processors, paused

    def collect(self) -> Iterator[Metric]:
        told = "Whether charging through it is paused."
        paused = GaugeMetricFamily("twintill_processor_paused", told, labels=["processor"])
        for name in sorted(self._processors):
            paused.add_metric([name], int(name in self._paused))
        yield paused


class _Endpoints(Collector):
    """Of the user's app; one that failed for days was disabled by itself."""

    def __init__(self, counted: dict[str, int]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        told = "Endpoints of your app, by how they stand; the failing ones are enabled too."
        endpoints = GaugeMetricFamily("twintill_webhook_endpoints", told, labels=["standing"])
        for standing, number in self._counted.items():
            endpoints.add_metric([standing], number)
        yield endpoints


class _Duties(Collector):
    """What recurs: when it last succeeded, and the numbers that it found then."""

    def __init__(self, standings: list[Standing]) -> None:
        self._standings = standings

    def collect(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "twintill_duty_age_seconds", "Time since its last success.", labels=["duty"]
        )
        failures = GaugeMetricFamily(
            "twintill_duty_failures", "Failures since then, in a row.", labels=["duty"]
        )
        result = GaugeMetricFamily(
            "twintill_duty_result", "What it found at its last success.", labels=["duty", "figure"]
        )
        for duty in self._standings:
            age.add_metric([duty.name], duty.age_s)
            failures.add_metric([duty.name], duty.failures)
            for figure, value in (duty.result or {}).items():
                if isinstance(value, int | float):
                    result.add_metric([duty.name, figure], value)
        yield from (age, failures, result)


class _Reads(Collector):
    def __init__(self, today: int, per_day: int) -> None:
        self._today, self._per_day = today, per_day

    def collect(self) -> Iterator[Metric]:
        meaning = "What was read from Stripe since midnight (UTC), by all processes."
        yield GaugeMetricFamily("twintill_stripe_reads_today", meaning, self._today)
        left = max(0, self._per_day - self._today)
        meaning = "What sweeps and catching up may still read from Stripe today."
        yield GaugeMetricFamily("twintill_stripe_reads_left", meaning, left)
