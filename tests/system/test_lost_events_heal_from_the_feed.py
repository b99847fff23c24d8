"""Whatever the broker or a consumer's database loses, the streams heal by themselves, in order and once."""

from tests.world.sql import run
from tests.world.world import World


async def test_the_broker_is_emptied_under_living_consumers(world: World) -> None:
    await _some(world, 5)
    await world.settle()
    await world.broker.restart(keep_data=False)
    await _some(world, 5)
    await world.settle(60)
    await _all_is_there(world, 10)


async def test_the_new_log_has_grown_past_the_old_position_before_the_consumers_look(world: World) -> None:
    await _some(world, 3)
    await world.settle()
    for name in ("notifications", "reporting"):
        await world.stop(name)
    await world.broker.restart(keep_data=False)
    await _some(world, 30)  # the log is longer now than it was: an old position lies in the middle of it
    for name in ("notifications", "reporting"):
        await world.start(name)
    await world.settle(60)
    await _all_is_there(world, 33)


async def test_events_that_kafka_never_got_are_healed_at_the_next_head(world: World) -> None:
    """As if the relay's cursor were ahead of the log: a broker that acknowledged and lost."""
    await _some(world, 2)
    await world.settle()
    await world.stop("kafka")
    await _some(world, 4)
    await run(world.databases["incidents"], "UPDATE relay_cursor SET sequence = (SELECT max(sequence) FROM ledger l"
              " WHERE l.topic = relay_cursor.topic)")  # fmt: skip
    await world.start("kafka")
    await world.settle(60)
    await _all_is_there(world, 6)


async def test_a_consumers_database_is_set_back_to_an_older_copy(world: World) -> None:
    await _some(world, 3)
    await world.settle()
    url = world.databases["notifications"]
    copy = await world.cluster.copy(url)
    await _some(world, 4)
    await world.settle()
    await world.stop("notifications")
    await world.cluster.restore(url, copy)
    await world.start("notifications")
    await world.settle(60)
    await _all_is_there(world, 7)
    await world.cluster.drop(copy)


async def test_a_fresh_consumer_hears_everything_from_the_feed_although_kafka_has_forgotten_it(world: World) -> None:
    await _some(world, 6)
    await world.settle()
    await world.stop("reporting")
    await world.cluster.drop(world.databases["reporting"])
    world.databases["reporting"] = await world.cluster.create()
    world.environment["REPORTING_DATABASE_URL"] = world.databases["reporting"]
    world.services["reporting"][0].learn(world.environment)
    await world.broker.restart(keep_data=False)
    await world.start("reporting")
    await world.settle(60)
    await _all_is_there(world, 6)


async def _some(world: World, count: int) -> None:
    for _ in range(count):
        assert (await world.post("break_in")).status == 201


async def _all_is_there(world: World, count: int) -> None:
    """Each incident once, one alert each, and counted."""
    incidents = {item["id"] for item in await world.listed("incidents", "/v1/incidents")}
    alerts = [alert["incident_id"] for alert in await world.desk.alerts()]
    assert len(incidents) == count
    assert sorted(alerts) == sorted(incidents)
    items = (await world.get("reporting", "/v1/statistics"))["items"]
    assert [item["incidents"] for item in items] == [count]
