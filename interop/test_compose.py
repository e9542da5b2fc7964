"""The image and the compose file, judged by hadolint, the compose schema and podman-compose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
PASSWORDS = dict.fromkeys(("REDIS_PASSWORD", "DASHBOARD_PASSWORD", "WORKER_PASSWORD"), "x")


def tool(
    name: str, *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / name, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_hadolint_finds_nothing_in_the_dockerfile_and_something_in_a_bad_one(
    tmp_path: Path,
) -> None:
    said = tool("hadolint", "Dockerfile")
    assert said.returncode == 0 and not said.stdout, said.stdout
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp\n")
    assert tool("hadolint", "Dockerfile", cwd=tmp_path).returncode == 1


def test_the_compose_file_fits_the_compose_schema(tmp_path: Path) -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    said = tool("check-jsonschema", *schema, "docker-compose.yml")
    assert said.returncode == 0, said.stdout
    (tmp_path / "wrong.yml").write_text("services: {one: {image: [1]}}\n")
    assert tool("check-jsonschema", *schema, str(tmp_path / "wrong.yml")).returncode == 1


@pytest.fixture
def podman(tmp_path: Path) -> str:
    """A PATH on which podman has a version; podman-compose asks for nothing else here."""
    (tmp_path / "podman").write_text("#!/bin/sh\necho 'podman version 5.0.0'\n")
    (tmp_path / "podman").chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_podman_compose_resolves_every_service_and_every_password(podman: str) -> None:
    said = tool(
        "podman-compose",
        "--profile",
        "crawler",
        "--profile",
        "worker",
        "config",
        PATH=podman,
        **PASSWORDS,
    )
    assert said.returncode == 0, said.stderr
    services = yaml.safe_load(said.stdout)["services"]
    assert set(services) == {"redis", "rq-dashboard", "crawler", "worker"}
    urls = {
        name: services[name]["environment"]["KKORACLE_REDIS_URL"]
        for name in services
        if name != "redis"
    }
    assert urls["crawler"] == "redis://:x@redis:6379/0"
    assert urls["worker"] == "redis://kk-worker:x@redis:6379/0"


@pytest.mark.parametrize("missing", PASSWORDS)
def test_without_a_password_nothing_is_resolved(podman: str, missing: str) -> None:
    given = {**PASSWORDS, missing: ""}
    said = tool("podman-compose", "--profile", "worker", "config", PATH=podman, **given)
    assert said.returncode != 0 and missing in said.stderr + said.stdout
