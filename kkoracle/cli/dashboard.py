"""rq-dashboard, mended and fenced: JSON by default, loopback by default, no deletions.

It shows and touches our queue alone, whatever else is on that Redis, and a look changes nothing.

rq-dashboard 0.9 forgets the serializer in seven places, so that its pages fail while a worker is
busy; its own `Job` and `WorkerStatus` names are replaced by ones that know our format and trust
nothing in a job's hash. What its pages show is escaped before it leaves the server.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import typer

from exchange import signals
from exchange.errors import MissingExtra
from exchange.machine import install_command
from exchange.net import RequestFence, listen, require_password
from exchange.project import Project
from exchange.queue import keys
from kkoracle.settings import DashboardSettings

if TYPE_CHECKING:
    from flask import Flask
    from redis import Redis


def serve_dashboard(project: Project, settings: DashboardSettings) -> None:
    """Serve until Ctrl-C.

    Raises:
        UsageError: another address than loopback, without a password.
        UserError: the extra is missing, or the port is taken.
    """
    from exchange.queue.redis_endpoint import redis_for

    require_password(
        "the dashboard", settings.host, settings.password, "KKORACLE_DASHBOARD_PASSWORD"
    )
    project.require_place()
    listener = listen(settings.host, settings.port)
    with redis_for(project) as redis, listener:
        app = make_dashboard_app(redis.connect(), settings)
        from werkzeug.serving import make_server

        host, port = listener.getsockname()[:2]
        server = make_server(host, port, app, threaded=True, fd=listener.fileno())
        typer.echo(f"dashboard: http://{settings.host}:{port}/  (Ctrl-C ends it)")
        with signals.until_interrupted():
            server.serve_forever()
        typer.echo("dashboard stopped")


def make_dashboard_app(redis: Redis, settings: DashboardSettings) -> Flask:
    """The Flask application over one Redis connection."""
    try:
        from flask import Flask
        from rq_dashboard import web
    except ImportError as error:
        raise MissingExtra(
            f"the dashboard needs its extra ({error}): {install_command('dashboard')}"
        ) from None
    from rq.exceptions import NoSuchJobError
    from rq.serializers import JSONSerializer

    _patch_rq_dashboard(web, redis)
    web.config.serializer = JSONSerializer
    app = Flask("rq_dashboard")
    app.config["RQ_DASHBOARD_REDIS_URL"] = ("redis://kkoracle",)  # shown; no password in it
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    app.config["RQ_DASHBOARD_POLL_INTERVAL"] = 2500
    app.config["DEPRECATED_OPTIONS"] = []
    _fence_requests(app, settings)
    _escape_responses(app)
    app.register_error_handler(NoSuchJobError, lambda _: ("no such job in our queue", 404))
    app.register_blueprint(web.blueprint, url_prefix="")
    web.upgrade_config(app)
    app.redis_conn = redis  # type: ignore[attr-defined]  # where rq-dashboard looks for it
    return app


def _patch_rq_dashboard(web: Any, redis: Redis) -> None:
    from redis.exceptions import ResponseError
    from rq import Queue, Worker
    from rq.exceptions import NoSuchJobError
    from rq.serializers import JSONSerializer

    from workers.job import TaskJob, read_jobs

    class JsonJob(TaskJob):
        @classmethod
        def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Any:
            job = super().fetch(id, connection=connection, serializer=JSONSerializer)
            if isinstance(job, TaskJob) and job.foreign:
                raise NoSuchJobError
            return job

    class OurQueue(Queue):
        job_class = JsonJob

        def __init__(self, name: str = keys.QUEUE, **others: Any) -> None:
            super().__init__(name, **others)

        @classmethod
        def all(cls, connection: Any = None, **others: Any) -> Any:  # type: ignore[override]
            return [cls(connection=connection, serializer=JSONSerializer)]

        def fetch_job(self, job_id: str) -> Any:
            """RQ's own takes a job that is gone out of its list; a look is to change nothing."""
            (found,) = read_jobs(redis, [job_id])
            return None if found is None or found.foreign else found

    class JsonWorker(Worker):
        job_class = JsonJob

        @classmethod
        def all(cls, connection: Any = None, **others: Any) -> Any:  # type: ignore[override]
            queue = OurQueue(connection=connection, serializer=JSONSerializer)
            return super().all(queue=queue, serializer=JSONSerializer, **others)

        @classmethod
        def find_by_key(cls, worker_key: str, connection: Any, **others: Any) -> Any:  # type: ignore[override]
            """RQ's own takes a worker that is gone out of the list, too."""
            try:
                if connection.exists(worker_key):
                    return super().find_by_key(worker_key, connection, **others)
            except (ValueError, ResponseError):  # written by nobody of ours
                return None
            return None

    web.Job = JsonJob
    web.Queue = OurQueue
    web.Worker = JsonWorker
    web.requeue_job = lambda job_id, connection: JsonJob.fetch(job_id, connection).requeue()
    web.from_url = lambda *_, **__: (None, redis)  # one connection, also for sockets and ACL users


def _escape_responses(app: Flask) -> None:
    """Make every text in an answer harmless as HTML: the pages paste most of them in unescaped."""
    from flask import Response, json

    @app.after_request
    def escape(response: Response) -> Response:
        if response.is_json:
            response.set_data(json.dumps(_escaped(response.get_json())))
        return response


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        return {html.escape(str(key)): _escaped(one) for key, one in value.items()}
    return value


def _fence_requests(app: Flask, settings: DashboardSettings) -> None:
    from flask import Response, request

    login = (settings.user, settings.password) if settings.password else None
    fence = RequestFence("the dashboard", settings.host, login)

    @app.before_request
    def refuse() -> Response | None:
        sent = request.headers
        refusal = fence.refusal(
            sent.get("Host", ""), sent.get("Origin"), sent.get("Authorization", "")
        )
        if refusal:
            status, said, headers = refusal
            return Response(said, status, headers, mimetype="text/plain")
        asked = request.view_args or {}
        methods = request.url_rule.methods if request.url_rule else None
        if request.method != "POST" and methods and "POST" in methods:
            return Response("send a POST: a look changes nothing", 405, {"Allow": "POST"})
        if (asked.get("queue_name") or keys.QUEUE) != keys.QUEUE or asked.get("instance_number"):
            return Response("there is one queue here", 404, mimetype="text/plain")
        return None

    @app.after_request
    def frame(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "frame-ancestors 'self'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
