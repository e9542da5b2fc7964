"""The dashboard: every page answers while a worker is busy, and it is fenced."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from exchange.queue.feeder import make_queue
from tests.conftest import run_cli
from tests.workers.conftest import Pipeline, open_pipeline
from tests.workers.endpoint import Endpoint

__all__ = ["open_pipeline"]

Open = Callable[..., object]
PAGES = [
    "/",
    "/0/view/queues",
    "/0/view/workers",
    "/0/view/jobs",
    "/0/data/queues.json",
    "/0/data/workers.json",
    "/0/data/jobs/generate/queued/8/asc/1.json",
    "/0/data/jobs/generate/started/8/asc/1.json",
    "/0/data/jobs/generate/finished/8/asc/1.json",
]


def get(
    url: str, login: str = "", method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers=headers or {})
    if login:
        import base64

        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def start(pipeline: Pipeline, *flags: str, **environment: str) -> str:
    process = pipeline.popen(
        "-m", "kkoracle", "dashboard", "--port", "0", *flags, cwd=pipeline.folder, **environment
    )
    assert process.stdout is not None
    (found,) = re.findall(r"http://[\d.]+:\d+", process.stdout.readline())
    return found.replace("0.0.0.0", "127.0.0.1")


def test_queue_job_and_worker_pages_answer_while_a_worker_is_busy(open_pipeline: Open) -> None:
    with open_pipeline(40, delay=1.0) as pipeline:
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 6)
        base = start(pipeline)
        for page in PAGES:
            status, text = get(base + page)
            assert status == 200, (page, status, text[:500])
        _, workers = get(base + "/0/data/workers.json")
        assert '"state": "busy"' in workers.replace('":"', '": "')
        _, listed = get(base + "/0/data/jobs/generate/started/8/asc/1.json")
        running = re.findall(r'"id":\s*"([0-9a-f]{24})"', listed)
        assert running
        for page in (f"/0/view/job/{running[0]}", f"/0/data/job/{running[0]}.json"):
            status, text = get(base + page)
            assert status == 200 and "Αριθμός" not in text, (page, status)


def test_a_failed_job_can_be_queued_again_from_the_page(open_pipeline: Open) -> None:
    endpoint = Endpoint()
    endpoint.status = [400]
    with open_pipeline(1, endpoint=endpoint) as pipeline:
        pipeline.start_worker("--burst")
        assert pipeline.until_done()["failed.endpoint-400"] == 1
        base = start(pipeline)
        _, listed = get(base + "/0/data/jobs/generate/failed/8/asc/1.json")
        (failed,) = set(re.findall(r'"id":\s*"([0-9a-f]{24})"', listed))
        request = urllib.request.Request(f"{base}/job/{failed}/requeue", method="POST")
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert reply.status == 200
        assert pipeline.redis.llen("rq:queue:generate") == 1


def test_jobs_cannot_be_deleted_from_the_page(open_pipeline: Open) -> None:
    with open_pipeline(3) as pipeline:
        pipeline.until(lambda: pipeline.redis.llen("rq:queue:generate") == 3)
        base = start(pipeline)
        request = urllib.request.Request(f"{base}/queue/generate/queued/empty", method="POST")
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert b"DISABLED" in reply.read()
        assert pipeline.redis.llen("rq:queue:generate") == 3


def test_beyond_loopback_it_wants_a_password(open_pipeline: Open) -> None:
    with open_pipeline(0) as pipeline:
        open_to_all = run_cli("dashboard", "--host", "0.0.0.0", cwd=pipeline.folder)
        assert open_to_all.returncode == 2
        assert "KKORACLE_DASHBOARD_PASSWORD" in open_to_all.stderr
        base = start(pipeline, "--host", "0.0.0.0", KKORACLE_DASHBOARD_PASSWORD="secret")
        assert get(base)[0] == 401
        assert get(base, "kkoracle:wrong")[0] == 401
        assert get(base, "kkoracle:secret")[0] == 200


def test_a_port_in_use_is_one_line(open_pipeline: Open) -> None:
    import socket

    with open_pipeline(0) as pipeline, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = run_cli("dashboard", "--port", str(taken.getsockname()[1]), cwd=pipeline.folder)
        assert said.returncode == 1
        assert "--port" in said.stderr and "Traceback" not in said.stderr


def test_a_page_of_another_site_gets_no_answer(open_pipeline: Open) -> None:
    """A name that is made to lead to 127.0.0.1, and a page that sends requests there."""
    with open_pipeline(0) as pipeline:
        base = start(pipeline)
        address = base.removeprefix("http://")
        for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "[::"):
            for page in (*PAGES, "/static/js/main.js", "/nothing"):
                assert get(base + page, headers={"Host": host})[0] == 421, (host, page)
        for origin in ("http://evil.example", "null", f"https://x@{address}", "http://[::"):
            asked = {"Origin": origin}
            assert get(base + "/0/data/queues.json", headers=asked)[0] == 403
            assert get(f"{base}/requeue/generate", method="POST", headers=asked)[0] == 403
        for origin in (base, f"http://{address}"):
            assert (
                get(f"{base}/requeue/generate", method="POST", headers={"Origin": origin})[0] == 200
            )
        port = address.rpartition(":")[2]
        assert get(base, headers={"Host": f"localhost:{port}"})[0] == 200


def contents(redis: Redis) -> dict[bytes, tuple[bytes, bytes]]:
    return {
        name: (redis.type(name), redis.dump(name)) for name in sorted(redis.scan_iter(count=1000))
    }


def test_a_look_changes_nothing_and_shows_our_queue_alone(open_pipeline: Open) -> None:
    endpoint = Endpoint()
    endpoint.status = [400]
    with open_pipeline(2, endpoint=endpoint) as pipeline:
        pipeline.start_worker("--burst").wait(30)
        counters = pipeline.until_done()
        assert counters["tasks.failed"] == 1
        pipeline.pump.stop()
        redis = pipeline.redis
        theirs = Queue("theirs", connection=redis, serializer=JSONSerializer)
        job = theirs.enqueue("their.secret", job_id="their-job")
        gone = theirs.enqueue("their.other", job_id="gone")
        redis.lpush("rq:queue:generate", gone.id, "\xff", "another")  # no job of ours
        redis.sadd("rq:workers:generate", "rq:worker:gone", "no worker")
        redis.sadd("rq:workers", "rq:worker:gone")
        redis.hset("rq:worker:odd", mapping={"pid": "many", "birth": "never"})
        redis.sadd("rq:workers:generate", "rq:worker:odd")
        (failed,) = make_queue(redis).failed_job_registry.get_job_ids(cleanup=False)
        base = start(pipeline)
        before = contents(redis)
        seen = [get(base + page) for page in PAGES]
        assert [status for status, _ in seen] == [200] * len(PAGES)
        for secret in ("theirs", "their-job", "their.secret", "their.other"):
            assert not any(secret in text for _, text in seen)
        for page in (f"/0/view/job/{failed}", f"/0/data/job/{failed}.json"):
            assert get(base + page)[0] == 200
        for page in (
            f"/0/view/job/{job.id}",
            f"/0/data/job/{job.id}.json",
            "/0/view/jobs/theirs/queued/8/asc/1",
            "/0/data/jobs/theirs/queued/8/asc/1.json",
            "/1/view/queues",
        ):
            status, text = get(base + page)
            assert status == 404 and "secret" not in text, page
        for page in (
            "/requeue/generate",
            "/requeue/theirs",
            f"/job/{failed}/requeue",
            f"/job/{failed}/delete",
            "/queue/generate/queued/empty",
            "/queue/generate/compact",
        ):
            for method in ("GET", "HEAD", "OPTIONS"):
                assert get(base + page, method=method)[0] in (404, 405), (method, page)
        for page in ("/requeue/theirs", "/queue/theirs/compact", f"/job/{job.id}/requeue"):
            assert get(base + page, method="POST")[0] == 404
        assert contents(redis) == before
        assert get(f"{base}/requeue/generate", method="POST") == (200, get_json(1))
        assert failed.encode() in redis.lrange("rq:queue:generate", 0, -1)


def get_json(count: int) -> str:
    return f'{{"count": {count}, "status": "OK"}}'
