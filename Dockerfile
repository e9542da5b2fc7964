# The crawler daemon, a worker of the openai engine, or the dashboard; see docker-compose.yml.
# MLX is not in here: on a Mac the worker and the trainer run natively.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY exchange exchange
COPY crawler crawler
COPY workers workers
COPY trainer trainer
COPY kkoracle kkoracle
COPY tools/lock.py tools/lock.py
RUN python -m venv /opt/kkoracle \
 && python tools/lock.py dashboard metrics build >/tmp/part.txt \
 && /opt/kkoracle/bin/pip install --no-cache-dir --require-hashes -r /tmp/part.txt \
 && /opt/kkoracle/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 kkoracle && install -d -o kkoracle /data
COPY --from=build /opt/kkoracle /opt/kkoracle
ENV PATH=/opt/kkoracle/bin:$PATH KKORACLE_DATA=/data PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/kkoracle
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["kkoracle"]
CMD ["--help"]
