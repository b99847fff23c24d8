"""One part being down never stops another, and afterwards nothing is missing."""

from tests.world.logs import LogWatch
from tests.world.world import World


async def test_signals_are_accepted_while_kafka_is_down_and_reach_the_police_afterwards(world: World) -> None:
    await world.stop("kafka")
    signals = [await world.post("break_in") for _ in range(3)]
    assert {signal.status for signal in signals} == {201}
    await world.start("kafka")
    await world.settle(60)
    assert {alert["incident_id"] for alert in await world.desk.alerts()} == {signal.incident_id for signal in signals}


async def test_without_its_database_incidents_says_503_and_stores_nothing_by_halves(world: World) -> None:
    device = world.device()
    url = world.databases["incidents"]
    await world.cluster.allow_connections(url, False)
    refused = await world.post("fire", device=device)
    assert refused.status == 503
    health = await world.http.get(f"{world.incidents_url}/health/ready")
    assert health.status_code == 503
    assert (await world.http.get(f"{world.incidents_url}/health/live")).status_code == 200
    assert (await world.desk.client.get("/v1/alerts")).status_code == 200
    await world.cluster.allow_connections(url, True)
    again = await world.post("fire", device=device, signal_id=refused.signal_id)
    assert again.status == 201
    await world.settle(60)
    assert len(await world.desk.alerts(incident_id=again.incident_id)) == 3
    assert (await world.get("incidents", "/v1/status"))["counts"]["signals"] == 1


async def test_503_tells_when_to_try_again(world: World) -> None:
    await world.cluster.allow_connections(world.databases["incidents"], False)
    answer = await world.http.get(f"{world.incidents_url}/v1/incidents", headers=world.bearer)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    await world.cluster.allow_connections(world.databases["incidents"], True)


async def test_a_service_that_was_down_catches_up_and_the_others_did_not_wait(world: World) -> None:
    for name in ("notifications", "reporting"):
        await world.stop(name)
    signals = [await world.post("theft") for _ in range(4)]
    assert {signal.status for signal in signals} == {201}
    await world.start("reporting")
    await world.start("notifications")
    await world.settle(60)
    assert len(await world.desk.alerts()) == 4
    (item,) = (await world.get("reporting", "/v1/statistics"))["items"]
    assert item["incidents"] == 4


async def test_a_consumer_waits_for_its_database_and_loses_nothing(world: World, logs: LogWatch) -> None:
    url = world.databases["notifications"]
    await world.cluster.allow_connections(url, False)
    signals = [await world.post("break_in") for _ in range(3)]
    assert {signal.status for signal in signals} == {201}
    await world.cluster.allow_connections(url, True)
    await world.settle(60)
    assert {alert["incident_id"] for alert in await world.desk.alerts()} == {signal.incident_id for signal in signals}
