"""Prometheus is told of all three services, and its rules speak of metrics that exist and fire when they should."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import services.incidents.service
import services.notifications.service
import services.reporting.service  # noqa: F401 - the three make all metrics there are
from tests.deploy import debian_prometheus
from tests.deploy.compose import ROOT, Compose

FOLDER = ROOT / "deploy" / "prometheus"
CASES = Path(__file__).with_name("rules_test.yml")
BUILT_IN = {"up"}


def config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics() -> dict[str, set[str]]:
    """Every sample that our code can show, with the labels that it has there."""
    found: dict[str, set[str]] = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        for metric in collector.collect():
            labels = set(getattr(collector, "_labelnames", ()))
            for suffix in ("", "_total", "_count", "_sum", "_bucket"):
                found[metric.name + suffix] = labels
    return found


def promtool(*arguments: str | Path) -> None:
    programs = debian_prometheus.folder()
    if programs is None:
        pytest.skip("no promtool on this machine: the files were only read as YAML (the tests beside this one)")
    done = subprocess.run([programs / "promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules() -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")


def test_rules_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", CASES)


def test_every_rule_has_a_case() -> None:
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    tried = {check["alertname"] for case in cases for check in case["alert_rule_test"] if check.get("exp_alerts")}
    assert tried == {rule["alert"] for rule in rules()}


def test_all_three_services_are_scraped_where_they_listen() -> None:
    services = Compose().services
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config()["scrape_configs"]}
    assert jobs == {
        name: [f"{name}:{services[name].environment['PORT']}"] for name in ("incidents", "notifications", "reporting")
    }
    assert all((FOLDER / name).is_file() for name in config()["rule_files"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_speaks_of_what_exists(rule: dict[str, Any]) -> None:
    there, expression = metrics(), rule["expr"]
    ours = set(re.findall(r"\bvonggac_\w+", expression))
    assert ours <= there.keys()
    assert ours or re.findall(r"\w+", expression)[0] in BUILT_IN
    labels = {name for name in re.findall(r"\w+", " ".join(re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)))}
    known = {"job", "instance"}.union(*(there[name] for name in ours))
    assert labels <= known
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= (labels or known)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_in_two_languages(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert " / " in rule["annotations"]["summary"]
