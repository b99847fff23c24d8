"""Which broker the tests get: Apache Kafka where it can be had, and always said which.

In this order: a container, where a Docker engine answers; the Maven artifacts, where there are Java 17 and Maven;
the embedded broker. ``TEST_BROKER`` in the environment names one of them and then no other is taken.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

from tests.world import kafka_jars
from tests.world.broker_docker import DockerKafka, why_no_docker
from tests.world.broker_engines import EmbeddedBroker, Engine, Kind, MavenKafka

ENGINES: dict[Kind, Callable[[Path], Engine]] = {
    "apache-kafka-docker": DockerKafka,
    "apache-kafka": MavenKafka,
    "embedded": EmbeddedBroker,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which broker the tests get, and why not a better one."""

    kind: Kind
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = "embedded broker" if self.kind == "embedded" else f"Apache Kafka {kafka_jars.KAFKA}"
        way = {"apache-kafka-docker": " in Docker", "apache-kafka": " from Maven artifacts"}.get(self.kind, "")
        return name + way + (f" ({'; '.join(self.left_out)})" if self.left_out else "")


@lru_cache(maxsize=1)
def choose() -> Choice:
    """The choice of this session, made once; the first time on a machine it fetches Apache Kafka.

    Raises ``ValueError`` if ``TEST_BROKER`` names none of the three.
    """
    wanted = os.environ.get("TEST_BROKER")
    for kind in get_args(Kind):
        if wanted == kind:
            return Choice(kind)
    if wanted:
        raise ValueError(f"TEST_BROKER is {wanted!r}, not one of {', '.join(get_args(Kind))}")
    no_docker = why_no_docker()
    if no_docker is None:
        return Choice("apache-kafka-docker")
    try:
        kafka_jars.kafka_home()
    except kafka_jars.NoKafka as error:
        return Choice("embedded", (no_docker, str(error)))
    return Choice("apache-kafka", (no_docker,))
