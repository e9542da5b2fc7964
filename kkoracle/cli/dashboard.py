"""rq-dashboard, mended and fenced: JSON by default, loopback by default, no deletions.

rq-dashboard 0.9 forgets the serializer in seven places, so that its pages fail while a worker is
busy; its own `Job` and `WorkerStatus` names are replaced by ones that know our format and trust
nothing in a job's hash. What its pages show is escaped before it leaves the server.
"""

from __future__ import annotations

import html
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from exchange import signals
from exchange.errors import MissingExtra
from exchange.net import listen, require_password
from exchange.project import Project
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
            f"the dashboard needs its extra ({error}): pip install 'kkoracle[dashboard]'"
        ) from None
    from rq import requeue_job
    from rq.serializers import JSONSerializer

    _patch_rq_dashboard(web, redis)
    web.config.serializer = JSONSerializer
    web.requeue_job = partial(requeue_job, serializer=JSONSerializer)
    app = Flask("rq_dashboard")
    app.config["RQ_DASHBOARD_REDIS_URL"] = ("redis://kkoracle",)  # shown; no password in it
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    app.config["RQ_DASHBOARD_POLL_INTERVAL"] = 2500
    app.config["DEPRECATED_OPTIONS"] = []
    if settings.password:
        _require_login(app, settings)
    _escape_responses(app)
    app.register_blueprint(web.blueprint, url_prefix="")
    web.upgrade_config(app)
    app.redis_conn = redis  # type: ignore[attr-defined]  # where rq-dashboard looks for it
    return app


def _patch_rq_dashboard(web: Any, redis: Redis) -> None:
    from rq import Worker
    from rq.serializers import JSONSerializer

    from workers.job import TaskJob

    class JsonJob(TaskJob):
        @classmethod
        def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Any:
            return super().fetch(id, connection=connection, serializer=JSONSerializer)

    class JsonWorker(Worker):
        job_class = JsonJob

        @classmethod
        def all(cls, connection: Any = None, **others: Any) -> Any:  # type: ignore[override]
            return super().all(connection=connection, serializer=JSONSerializer, **others)

    web.Job = JsonJob
    web.Worker = JsonWorker
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


def _require_login(app: Flask, settings: DashboardSettings) -> None:
    import hmac

    from flask import Response, request

    @app.before_request
    def login() -> Response | None:
        given = request.authorization
        fits = given is not None and hmac.compare_digest(
            f"{given.username}:{given.password}".encode(),
            f"{settings.user}:{settings.password}".encode(),
        )
        if fits:
            return None
        return Response("login needed", 401, {"WWW-Authenticate": 'Basic realm="kkoracle"'})
