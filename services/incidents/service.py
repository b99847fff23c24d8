"""incidents: turns signals into incidents and says so. Read from top to bottom: opens, consumes, serves."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.routing import Route

from foundation.chassis.clock import Clock
from foundation.chassis.database import Database, migrate
from foundation.chassis.identity import Identity, create_key
from foundation.chassis.telemetry import set_up_logs
from foundation.chassis.web import Parts, create_app, serve
from foundation.contracts import alerts, incidents, sites
from foundation.streams.consumer import StreamConsumer, consume
from foundation.streams.feed import FeedClient, feed_router
from foundation.streams.relay import relay
from foundation.streams.status import prepare_streams, status_router
from services.incidents.api.incidents import incidents_router
from services.incidents.api.kinds import kinds_router
from services.incidents.api.register import register_router
from services.incidents.api.signals import SignalAnswer, SignalDoor, SignalIn
from services.incidents.consumers.alerts import on_alerts
from services.incidents.held import raise_held
from services.incidents.intake import Intake
from services.incidents.settings import Settings
from services.incidents.store import reading, register
from services.incidents.store.register import NewDevice, NewPost, NewSite

PUBLISHES = (incidents.TOPIC, sites.TOPIC)

__all__ = ["NewDevice", "NewPost", "NewSite", "Settings", "build", "put_register", "run"]


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The service, not yet started."""
    clock = clock or Clock()
    create_key(settings.keys_dir, "incidents")
    database = Database(settings.database_url, settings.database_connections)
    identity = Identity(settings.keys_dir, "incidents")
    feed = FeedClient(identity, settings.incidents_url, settings.notifications_url)
    intake = Intake(database, settings, clock)
    heard = [StreamConsumer(alerts.TOPIC, on_alerts, database, feed, settings)]
    parts = Parts(
        "incidents", "services.incidents", database, settings, clock, identity, PUBLISHES, heard,
        tasks={
            "relay": lambda: relay(database, settings, clock, PUBLISHES),
            "consumer": lambda: consume(database, settings, "incidents", heard),
            "intake": intake.run,  # two: while one transaction waits for its commit, the other decides
            "intake, second": intake.run,
            "held": lambda: raise_held(database, settings, clock),
        },
        at_start=[lambda: prepare_streams(database, PUBLISHES, settings.areas)],
        at_stop=[feed.close],
        counts=lambda: reading.counts(database),
    )  # fmt: skip
    door = SignalDoor(intake, database, identity)
    app = create_app(parts, "Vọng Gác – vụ việc (incidents)", direct={("POST", "/v1/signals"): door.post})
    app.router.routes.insert(0, Route("/v1/signals/{signal_id}", door.get, methods=["GET"]))
    app.router.routes.insert(0, Route("/v1/signals", door.post, methods=["POST"]))  # 405 for what is not direct
    app.include_router(incidents_router(database, identity, clock))
    app.include_router(register_router(database, identity, clock))
    app.include_router(kinds_router())
    app.include_router(status_router(parts))
    app.include_router(feed_router(database, identity, PUBLISHES))
    _describe_signals(app)
    return app


def _describe_signals(app: FastAPI) -> None:
    """Adds the two plain routes to the OpenAPI document."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = described()
            _, models = models_json_schema(
                [(SignalIn, "validation"), (SignalAnswer, "serialization")],
                ref_template="#/components/schemas/{model}",
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(models["$defs"])
            content = {"application/json": {"schema": {"$ref": "#/components/schemas/SignalIn"}}}
            stored = {"application/json": {"schema": {"$ref": "#/components/schemas/SignalAnswer"}}}
            document["paths"]["/v1/signals"] = {
                "post": {
                    "tags": ["signals"],
                    "summary": "Gửi tín hiệu (send a signal; answered after it is stored)",
                    "requestBody": {"required": True, "content": content},
                    "responses": {
                        "201": {"description": "stored", "content": stored},
                        "200": {"description": "stored before; the same answer", "content": stored},
                    },
                }
            }
            document["paths"]["/v1/signals/{signal_id}"] = {
                "get": {
                    "tags": ["signals"],
                    "summary": "Một tín hiệu (one signal)",
                    "parameters": [{"name": "signal_id", "in": "path", "required": True, "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "the signal"}},
                }
            }
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


async def put_register(
    sites: list[NewSite], posts: list[NewPost], devices: list[NewDevice], settings: Settings | None = None
) -> None:
    """Adds to the register what is not there yet, whether or not the service runs.

    Settings come from the environment unless given.
    """
    settings = settings or Settings()
    database = Database(settings.database_url)
    await database.open()
    try:
        await migrate(database, "services.incidents")
        await prepare_streams(database, PUBLISHES, settings.areas)
        async with database.transaction() as connection:
            await register.put_sites(connection, sites, Clock().now())
        async with database.transaction() as connection:
            await register.put_posts(connection, posts)
            await register.put_devices(connection, devices)
    finally:
        await database.close()


def run() -> None:
    """Serves until told to stop; settings come from the environment."""
    settings = Settings()
    set_up_logs("incidents", settings.log_level)
    serve(build(settings), settings)
