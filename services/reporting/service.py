"""Reporting: what it opens, hears and serves. It publishes nothing."""

from collections.abc import Mapping

from fastapi import FastAPI

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database
from foundation.chassis.identity import Identity
from foundation.chassis.telemetry import set_up_logs
from foundation.chassis.web import Parts, create_app, serve
from foundation.contracts.alerts import TOPIC as ALERTS
from foundation.contracts.incidents import TOPIC as INCIDENTS
from foundation.contracts.sites import TOPIC as SITES
from foundation.streams.consumer import StreamConsumer, consume
from foundation.streams.feed import FeedClient
from foundation.streams.status import status_router
from services.reporting.api.statistics import statistics_router
from services.reporting.consumers import alerts, incidents, sites
from services.reporting.settings import Settings
from services.reporting.store import facts

NAME = "reporting"


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The service, wired and not yet started; ``app.state.parts`` has what it is made of."""
    database = Database(settings.database_url, settings.database_connections)
    identity = Identity(settings.keys_dir, NAME)
    feed = FeedClient(identity, settings.incidents_url, settings.notifications_url)
    handlers = {INCIDENTS: incidents.apply, ALERTS: alerts.apply, SITES: sites.apply}
    consumers = [StreamConsumer(topic, apply, database, feed, settings) for topic, apply in handlers.items()]

    async def counts() -> Mapping[str, int]:
        async with database.pool.acquire(timeout=5) as connection:
            return await facts.count(connection)

    parts = Parts(
        name=NAME,
        package="services.reporting",
        database=database,
        settings=settings,
        clock=clock or Clock(),
        identity=identity,
        consumers=consumers,
        tasks={"consumer": lambda: consume(database, settings, NAME, consumers)},
        at_stop=[feed.close],
        counts=counts,
    )
    app = create_app(parts, "Vọng Gác: số liệu (reporting)")
    app.include_router(statistics_router(database, identity))
    app.include_router(status_router(parts))
    return app


def run() -> None:
    """Serves with the settings of the environment until told to stop."""
    settings = Settings()
    set_up_logs(NAME, settings.log_level)
    serve(build(settings), settings)
