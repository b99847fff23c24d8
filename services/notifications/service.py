"""notifications: who is told, what they do about it, and the live pages that show it. Read from top to bottom."""

from collections.abc import Sequence

from fastapi import FastAPI

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database, migrate
from foundation.chassis.identity import Identity
from foundation.chassis.telemetry import set_up_logs
from foundation.chassis.web import Parts, create_app, serve
from foundation.contracts import alerts, incidents
from foundation.streams.consumer import StreamConsumer, consume
from foundation.streams.feed import FeedClient, feed_router
from foundation.streams.relay import relay
from foundation.streams.status import prepare_streams, status_router
from services.notifications.api.alerts import alerts_router
from services.notifications.api.kinds import kinds_router
from services.notifications.api.session import session_router
from services.notifications.api.stream import stream_router
from services.notifications.api.units import units_router
from services.notifications.api.wall import wall_router
from services.notifications.consumers.incidents import IncidentConsumer
from services.notifications.domain.units import Unit
from services.notifications.live import Hub
from services.notifications.settings import Settings
from services.notifications.store import reading
from services.notifications.store.units import put_units

NAME = "notifications"
PACKAGE = "services.notifications"
PUBLISHES = (alerts.TOPIC,)

__all__ = ["Settings", "Unit", "build", "run", "seed_units"]


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The whole service. ``app.state.parts`` holds what it is made of."""
    clock = clock or Clock()
    database = Database(settings.database_url, settings.database_connections)
    identity = Identity(settings.keys_dir, NAME)
    feed = FeedClient(identity, settings.incidents_url, settings.notifications_url)
    incident_consumer = IncidentConsumer(clock, settings)
    hub = Hub(database, settings, clock)
    heard = [StreamConsumer(incidents.TOPIC, incident_consumer.apply, database, feed, settings)]
    parts = Parts(
        name=NAME,
        package=PACKAGE,
        database=database,
        settings=settings,
        clock=clock,
        identity=identity,
        publishes=PUBLISHES,
        consumers=heard,
        counts=lambda: reading.counts(database),
    )
    parts.tasks = {
        "relay": lambda: relay(database, settings, clock, PUBLISHES),
        "consumer": lambda: consume(database, settings, NAME, heard),
        "put off": lambda: incident_consumer.route_put_off(database),
        "live stream": hub.read,
        "notices": hub.look,
    }
    parts.at_start = [lambda: prepare_streams(database, PUBLISHES, settings.areas)]
    parts.before_stop = [hub.close]
    parts.at_stop = [feed.close]

    app = create_app(parts, "Vọng Gác: notifications")
    app.include_router(alerts_router(parts))
    app.include_router(units_router(parts))
    app.include_router(kinds_router(parts))
    app.include_router(session_router(parts, settings))
    app.include_router(stream_router(parts, hub))
    app.include_router(feed_router(database, identity, PUBLISHES))
    app.include_router(status_router(parts))
    app.include_router(wall_router())
    return app


async def seed_units(settings: Settings, area: str, units: Sequence[Unit]) -> None:
    """Puts units and what they cover into the database, made if need be: for the demo province and for imports."""
    database = Database(settings.database_url, connections=1)
    await database.open()
    try:
        await migrate(database, PACKAGE)
        async with database.transaction() as connection:
            await put_units(connection, area, units)
    finally:
        await database.close()


def run() -> None:
    """Serves until it is told to stop; all settings come from the environment."""
    settings = Settings()
    set_up_logs(NAME, settings.log_level)
    serve(build(settings), settings)
