"""Settings: precedence, sources, and errors that name the key and the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.errors import UsageError
from exchange.settings import Config, GeneralSettings, RedisSettings


def config(tmp_path: Path, text: str, **env: str) -> Config:
    path = tmp_path / "kkoracle.toml"
    path.write_text(text, "utf-8")
    return Config.find(path, env)


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    text = "[redis]\nmaxmemory_mb = 100\n"
    for env, flags, value, source in (
        ({}, {}, 100, "kkoracle.toml"),
        ({"KKORACLE_REDIS_MAXMEMORY_MB": "200"}, {}, 200, "KKORACLE_REDIS_MAXMEMORY_MB"),
        ({"KKORACLE_REDIS_MAXMEMORY_MB": "200"}, {"maxmemory_mb": 300}, 300, "flag"),
    ):
        found = config(tmp_path, text, **env)
        assert found.table("redis", RedisSettings, flags).maxmemory_mb == value
        assert found.sources["redis.maxmemory_mb"].endswith(source)
        assert found.sources["redis.url"] == "default"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[redis]\nmaxmemry_mb = 100\n", ["maxmemry_mb", "maxmemory_mb", "[redis]"]),
        ("[redis]\nmaxmemory_mb = 'much'\n", ["redis.maxmemory_mb", "integer"]),
        ("[redis]\nmaxmemory_mb = 1\n", ["redis.maxmemory_mb", "16"]),
        ("redis = 3\n[x]\n", ["[redis]", "table"]),
    ],
)
def test_a_wrong_key_or_value_is_one_line_that_names_it(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, text).table("redis", RedisSettings)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_a_wrong_table_is_refused_with_the_nearest_right_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'redis'"):
        config(tmp_path, "[rediss]\n").check_tables(["", "redis", "crawl"])


def test_an_unknown_key_at_the_top_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'archive'"):
        config(tmp_path, "archiv = 'x'\n").table("", GeneralSettings)


def test_a_broken_file_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        config(tmp_path, "[redis\n")
    with pytest.raises(UsageError, match="kkoracle init"):
        Config.find(tmp_path / "none.toml", {})
