# The gateway: docker build -f deploy/gateway.Dockerfile .      Its base is pinned as in deploy/Dockerfile.
ARG BASE=docker.io/library/python:3.13-slim-bookworm
ARG BASE_DIGEST=

# --- What runs: the templates, the services' API documents, and the files of the viewer of API documents.
FROM ${BASE}${BASE_DIGEST:+@${BASE_DIGEST}} AS tree
WORKDIR /propel
COPY requirements.lock requirements.lock
COPY deploy/packages packing
RUN python packing/choose.py gateway requirements.lock > packing/chosen.lock \
    && python -m pip install --quiet --no-cache-dir --no-compile --no-deps --require-hashes \
        --target packages --requirement packing/chosen.lock \
    && rm -r packing requirements.lock
COPY gateway gateway
COPY services services
RUN find services -type f ! -name openapi.json -delete \
    && python -m compileall -q gateway

# --- The image
FROM ${BASE}${BASE_DIGEST:+@${BASE_DIGEST}} AS gateway
ARG REVISION=unknown
LABEL org.opencontainers.image.title="propel-gateway" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="MIT"
# The distribution's nginx, with its security fixes as of the day of the build: a pinned version would vanish with the next.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /propel
COPY --from=tree /propel /propel
ENV PYTHONPATH=/propel/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_ACCESS_LOG=/dev/stdout \
    GATEWAY_ERROR_LOG=stderr
USER 10001:10001
EXPOSE 8080
# nginx ends gracefully on QUIT, and cuts its connections on TERM.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health/', timeout=3)"]
# /tmp is memory or a mounted folder; --upstream and --probe say where the parts are.
ENTRYPOINT ["python", "-m", "gateway", "--target", "/tmp/gateway", "--listen", "0.0.0.0:8080"]
