"""What ships: the lock, the compose file, the image, and the commands that the README names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from kkoracle.cli.app import app

ROOT = Path(__file__).parent.parent
PACKAGES = {"exchange", "crawler", "workers", "trainer", "kkoracle"}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, dict]:
    return yaml.safe_load(text("docker-compose.yml"))["services"]


def test_compose_publishes_nothing_beyond_loopback(compose: dict[str, dict]) -> None:
    ports = [port for service in compose.values() for port in service.get("ports", [])]
    assert len(ports) == 2 and all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_holds_no_password_and_insists_on_one(compose: dict[str, dict]) -> None:
    for name in ("REDIS_PASSWORD", "DASHBOARD_PASSWORD", "WORKER_PASSWORD"):
        uses = re.findall(r"(?<!\$)\$\{" + name + r"[^}]*\}", text("docker-compose.yml"))
        assert uses and all(":?" in use for use in uses)
    assert set(re.findall(r"^([A-Z_]+)=(.*)$", text(".env.example"), re.M)) == {
        ("REDIS_PASSWORD", ""),
        ("DASHBOARD_PASSWORD", ""),
        ("WORKER_PASSWORD", ""),
    }


def test_compose_limits_redis_and_never_evicts(compose: dict[str, dict]) -> None:
    command = " ".join(compose["redis"]["command"])
    for setting in ("appendonly yes", "maxmemory 512mb", "noeviction", "requirepass"):
        assert setting in command
    assert "healthcheck" in compose["redis"]
    assert compose["crawler"]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert compose["crawler"]["profiles"] == ["crawler"]
    assert compose["worker"]["profiles"] == ["worker"]


def test_compose_runs_commands_and_options_that_exist(compose: dict[str, dict]) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in ("rq-dashboard", "crawler", "worker"):
        command, *rest = compose[name]["command"]
        options = {option for p in commands[command].params for option in p.opts}
        assert {word for word in rest if word.startswith("--")} <= options


def test_the_image_holds_every_package_that_the_wheel_holds() -> None:
    wheel = tomllib.loads(text("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = set(re.findall(r"^COPY (\w+) \1$", text("Dockerfile"), re.M))
    assert set(wheel["packages"]) == copied == PACKAGES


def test_the_lock_pins_every_dependency_and_names_no_index() -> None:
    lock = text("requirements.lock")
    assert "://" not in lock and "--" not in lock
    pinned = {line.partition("==")[0].lower() for line in lock.splitlines() if line}
    for requirement in tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]:
        name = re.split(r"[<>=!~ \[;]", requirement)[0].lower()
        assert name in pinned, name


def test_the_readme_shows_both_commands_and_the_makefile_has_them() -> None:
    for target in ("demo", "test"):
        assert f"make {target}" in text("README.md")
        assert re.search(rf"^{target}: system-{target} install$", text("Makefile"), re.M)
