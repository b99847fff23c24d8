"""docker-compose.yml holds what docs/operators.md promises of it. No Docker engine is needed to see that."""

import base64
import re
import subprocess
import sys
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from deploy.compose import write_secrets
from services.incidents.settings import Settings as IncidentsSettings
from services.notifications.settings import Settings as NotificationsSettings
from services.reporting.settings import Settings as ReportingSettings
from tests.deploy.compose import FILE, ROOT, Compose
from tests.world import kafka_jars
from vonggac import postgres

COMPOSE = Compose()
SERVICES = {
    "incidents": IncidentsSettings,
    "notifications": NotificationsSettings,
    "reporting": ReportingSettings,
}
STARTED = {name: each for name, each in COMPOSE.services.items() if not each.optional}
LASTING = {name: each for name, each in STARTED.items() if not each.one_shot}
SERVES_NOBODY = {"simulate"}
NOT_OUR_SETTINGS = {"PGPASSFILE"}
"""Read by the PostgreSQL driver itself."""


def variables(field_name: str, field: FieldInfo) -> set[str]:
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [field_name]
    return {str(name).upper() for name in names}


def test_it_follows_the_compose_specification() -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_starts_after_what_it_needs() -> None:
    order = COMPOSE.start_order()  # raises where needs go in a circle
    assert set(order) == set(COMPOSE.services)
    assert COMPOSE.before("databases") == {"postgres", "secrets"}
    for name in SERVICES:
        assert COMPOSE.before(name) == {"secrets", "postgres", "databases", "kafka"}
    assert COMPOSE.before("demo") >= {"incidents", "notifications"}
    assert "demo" in COMPOSE.before("simulate")
    assert set(SERVICES) <= COMPOSE.before("prometheus")


def test_conditions_can_come_true() -> None:
    for service in COMPOSE.services.values():
        for need, condition in service.needs.items():
            needed = COMPOSE.services[need]
            assert needed.one_shot == (condition == "service_completed_successfully"), (service.name, need)
            if condition == "service_healthy":
                assert needed.health_command, need


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_watched_and_comes_back(name: str) -> None:
    service = LASTING[name]
    assert service.raw["restart"] == "unless-stopped"
    health = service.raw["healthcheck"]
    if name in SERVES_NOBODY:
        assert health == {"disable": True}
        return
    assert service.health_command
    assert {"interval", "timeout", "retries", "start_period"} <= health.keys()


@pytest.mark.parametrize("name", COMPOSE.services)
def test_images_have_a_version(name: str) -> None:
    service = COMPOSE.services[name]
    repository, _, tag = service.image.rpartition(":")
    assert repository
    assert "/" not in tag
    if service.ours:
        assert service.image == "vonggac:local"
        assert Compose({"VONGGAC_VERSION": "1.2.3"}).services[name].image == "vonggac:1.2.3"
    else:
        assert re.match(r"v?\d+(\.\d+)*(-\w+)?$", tag), service.image


def test_the_servers_are_those_that_the_tests_and_the_laptop_run() -> None:
    assert COMPOSE.services["kafka"].image == f"apache/kafka:{kafka_jars.KAFKA}"
    servers = {COMPOSE.services[name].image for name in ("postgres", "databases")}
    assert servers == {f"postgres:{postgres.MAJOR}-bookworm"}


@pytest.mark.parametrize("name", COMPOSE.services)
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = COMPOSE.services[name]
    assert service.raw["cap_drop"] == ["ALL"]
    assert service.raw["security_opt"] == ["no-new-privileges:true"]
    assert not service.raw.keys() & {"privileged", "devices", "pid", "ipc"}
    assert service.raw["logging"]["options"].keys() == {"max-size", "max-file"}
    if name != "kafka":  # its image writes its settings beside its programs
        assert service.raw["read_only"] is True
    if name == "secrets":
        assert service.raw["network_mode"] == "none"
        assert service.one_shot
    else:
        assert "cap_add" not in service.raw
        assert not str(service.raw.get("user", "1")).startswith("0")


def test_files_belong_to_the_users_that_read_them() -> None:
    user = f"{write_secrets.POSTGRES_USER}:{write_secrets.POSTGRES_USER}"
    assert [COMPOSE.services[name].raw["user"] for name in ("postgres", "databases")] == [user, user]
    assert all("user" not in each.raw for each in COMPOSE.services.values() if each.ours and each.name != "secrets")


def test_each_sees_its_own_secrets_only() -> None:
    readers: dict[str, set[str]] = {}
    for service in COMPOSE.services.values():
        for mount in service.mounts:
            if mount.source.endswith("-secrets"):
                readers.setdefault(mount.source, set()).add(service.name)
                assert mount.read_only == (service.name not in {"secrets", "demo"}), (service.name, mount)
    assert readers == {
        **{f"{name}-secrets": {"secrets", name} for name in SERVICES},
        "postgres-secrets": {"secrets", "postgres", "databases"},
        "operator-secrets": {"secrets", "demo", "simulate", "vonggac"},
    }


def test_there_is_no_secret_in_the_file() -> None:
    for service in COMPOSE.services.values():
        for name, value in service.environment.items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY|PASS", name):
                assert value.startswith("/run/vonggac"), f"{service.name}: {name}"
            if "://" in value and value.count("://") == 1:
                assert urlsplit(value).password is None, f"{service.name}: {name}"
    assert not list(ROOT.glob(".env*"))


def test_ports_are_published_on_this_machine_only_unless_meant() -> None:
    published = {name: each.published for name, each in COMPOSE.services.items() if each.published}
    assert {name: port[0][1:] for name, port in published.items()} == {
        "incidents": ("8700", "8700"),
        "notifications": ("8701", "8701"),
        "reporting": ("8702", "8702"),
        "prometheus": ("9090", "9090"),
    }
    assert all(ip_address(address).is_loopback for ports in published.values() for address, _, _ in ports)
    meant = Compose({"VONGGAC_BIND": "10.44.0.2", "INCIDENTS_PORT": "80", "PROMETHEUS_PORT": "9999"})
    assert meant.services["incidents"].published == [("10.44.0.2", "80", "8700")]
    assert meant.services["prometheus"].published == [("127.0.0.1", "9999", "9090")]


def test_servers_without_a_password_are_reached_by_the_services_alone() -> None:
    networks = COMPOSE.raw["networks"]
    assert {name for name, each in networks.items() if not each.get("internal")} == {"front"}
    members = {
        name: {each.name for each in STARTED.values() if name in each.raw.get("networks", [])} for name in networks
    }
    assert members["streams"] == {"kafka", *SERVICES}
    assert members["databases"] == {"postgres", "databases", "demo", *SERVICES}
    assert members["front"] == {*SERVICES, "simulate", "prometheus"}


def test_volumes_and_files_are_there() -> None:
    mounts = [mount for each in COMPOSE.services.values() for mount in each.mounts]
    assert {mount.source for mount in mounts if mount.named} == set(COMPOSE.raw["volumes"])
    for mount in mounts:
        if not mount.named:
            assert (ROOT / mount.source).exists(), mount
            assert mount.read_only, mount
    keeps = {"kafka": "/var/lib/kafka/data", "postgres": "/var/lib/postgresql", "prometheus": "/prometheus"}
    for name, target in keeps.items():
        assert target in {mount.target for mount in COMPOSE.services[name].mounts if mount.named}, name


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_understands_every_variable_it_is_given(name: str) -> None:
    known = {variable for each in SERVICES[name].model_fields.items() for variable in variables(*each)}
    given = COMPOSE.services[name].environment.keys()
    assert given - known == NOT_OUR_SETTINGS
    assert {"HOST", "PORT", f"{name.upper()}_DATABASE_URL"} <= given


def test_errors_of_the_server_do_not_quote_rows() -> None:
    """The same settings as the embedded server, where the reason stands."""
    embedded = [word for word in postgres.SETTINGS.split() if word.startswith("log_")]
    assert embedded
    command = COMPOSE.services["postgres"].command
    given = {value for flag, value in pairwise(command) if flag == "-c"}
    assert set(embedded) <= given


def test_kafka_keeps_to_its_bounds() -> None:
    kafka = COMPOSE.services["kafka"].environment
    assert len(base64.urlsafe_b64decode(kafka["CLUSTER_ID"] + "==")) == 16
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert int(kafka["KAFKA_LOG_RETENTION_BYTES"]) <= 2**30
    assert "-Xmx256m" in kafka["KAFKA_HEAP_OPTS"]
