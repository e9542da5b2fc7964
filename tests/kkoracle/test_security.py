"""What comes from outside stays data: model folders, profiles, names, and who listens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml

from exchange.errors import UsageError
from exchange.project import Project
from kkoracle.settings import TABLES, settings_model
from tests.conftest import ROOT, run_cli

Maker = Callable[..., Project]


def test_a_model_folder_that_wants_its_own_code_run_is_refused_in_one_line(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    config = orjson.loads((folder / "config.json").read_bytes())
    auto = {"AutoTokenizer": ["evil.Tokenizer", None], "AutoModelForCausalLM": "evil.Model"}
    config |= {"model_file": "evil.py", "auto_map": auto}
    (folder / "config.json").write_bytes(orjson.dumps(config))
    said = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(said)!r}, 'w').write('x')\n")
    tokenizer = orjson.loads((folder / "tokenizer_config.json").read_bytes())
    tokenizer["auto_map"] = auto
    (folder / "tokenizer_config.json").write_bytes(orjson.dumps(tokenizer))
    (tmp_path / "kkoracle.toml").touch()
    refused = run_cli("work", "--model", str(folder), "--burst", cwd=tmp_path, timeout=60)
    assert refused.returncode == 1, refused.stderr
    assert not said.exists()
    assert "Traceback" not in refused.stderr and "evil.py" in refused.stderr


def test_an_archive_cannot_be_named_out_of_the_data_folder(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    for name in ("../x", "/etc", "a/b", "..", "x\n", "Χ", "-x"):
        with pytest.raises(UsageError, match="no archive name"):
            project.archive_dir(name)
    before = sorted(tmp_path.iterdir())
    said = run_cli("backup", "kept", "../x", cwd=tmp_path)
    assert said.returncode == 2 and "no archive name" in said.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_every_address_that_something_listens_on_is_loopback_by_default() -> None:
    hosts = {
        f"{table}.{key}": str(field.default)
        for table in TABLES
        for key, field in settings_model(table).model_fields.items()
        if key in ("host", "metrics_host", "listen", "bind")
    }
    assert len(hosts) >= 2 and set(hosts.values()) == {"127.0.0.1"}
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_a_data_folders_secrets_are_for_its_owner_alone(
    tmp_path: Path, make_project: Maker
) -> None:
    from exchange.queue.redis_endpoint import redis_for

    project = make_project()
    before = os.umask(0)
    try:
        with redis_for(project):
            for name in ("access.json", "redis.json"):
                assert (project.redis_dir / name).stat().st_mode & 0o077 == 0, name
            assert (project.redis_dir / "redis.sock").stat().st_mode & 0o077 == 0
    finally:
        os.umask(before)
