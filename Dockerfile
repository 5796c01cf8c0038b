# Two images: the collector with all commands (default), and `--target demo`, which can also emit demonstration events.
# BASE: any Debian-based Python from 3.11 on, e.g. one from a mirror of your own.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all:
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
 && python3 -m venv --without-pip /opt/auditgraf \
 && /opt/build/bin/pip --python /opt/auditgraf/bin/python install --require-hashes -r requirements/run.txt
# A tenth of the image for nothing: headers, tests, and an Arrow client of a service that nobody here calls.
RUN cd /opt/auditgraf/lib/python3*/site-packages \
 && rm -rf pyarrow/include pyarrow/tests pyarrow/*flight* \
 && find numpy polars -type d -name tests -prune -exec rm -rf {} + \
 && /opt/auditgraf/bin/python -m compileall -q --invalidation-mode unchecked-hash .

FROM dependencies AS package
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/auditgraf/bin/python install --no-deps --prefix /opt/package /wheels/auditgraf-*.whl \
 && /opt/auditgraf/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/package

# Only what the extra adds to run.txt; demo.txt has the versions of run.txt for all the rest.
FROM dependencies AS demo-dependencies
COPY requirements/demo.txt requirements/
RUN /opt/build/bin/pip --python /opt/auditgraf/bin/python install --prefix /opt/demo --require-hashes -r requirements/demo.txt \
 && /opt/auditgraf/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/demo

FROM ${BASE} AS collector
LABEL org.opencontainers.image.title="Auditgraf" \
      org.opencontainers.image.description="OTLP logs in, audit events in PostgreSQL, dashboards and alerts in Grafana" \
      org.opencontainers.image.licenses="Apache-2.0"
# The folders are where Compose mounts the spool and Grafana's provisioning: a new volume takes its owner from here.
RUN groupadd --system --gid 10001 auditgraf \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin auditgraf \
 && install --directory --owner auditgraf --group auditgraf /etc/grafana/provisioning \
 && install --directory --owner auditgraf --group auditgraf --mode 700 /var/lib/auditgraf/spool
ENV PATH=/opt/auditgraf/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUDITGRAF_GRPC_LISTEN=0.0.0.0:4317 \
    AUDITGRAF_HTTP_LISTEN=0.0.0.0:4318 \
    AUDITGRAF_METRICS_LISTEN=0.0.0.0:8888
COPY --from=dependencies /opt/auditgraf /opt/auditgraf
COPY --from=package /opt/package /opt/auditgraf
# Fails the build where the trimming above took something that is needed.
RUN ["python", "-c", "import collector.cli, collector.rendering, collector.server"]
WORKDIR /
USER 10001:10001
EXPOSE 4317 4318
# Process 1 gets only the signals that it handles. Python handles SIGINT from its first line on, in every command.
STOPSIGNAL SIGINT
# Alive, not ready: an orchestrator that replaces what is unhealthy must not do so because PostgreSQL is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-IS", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:4318/healthz', timeout=4)"]
ENTRYPOINT ["auditgraf"]
CMD ["serve"]

FROM collector AS demo
COPY --from=demo-dependencies /opt/demo /opt/auditgraf
RUN ["python", "-c", "import collector.demo"]
HEALTHCHECK NONE
CMD ["demo", "--endpoint", "http://collector:4317"]

# The last stage is what `docker build .` makes.
FROM collector
