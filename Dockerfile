# The worker's image. Every package is checked against requirements.lock; what only tests and lint
# need is fetched into the first stage and left there.
FROM python:3.11.13-slim-bookworm AS build
# A small font with Chinese characters, for pictures under `language: zh`.
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends fonts-wqy-microhei=0.2.0-beta-3.1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock .
RUN pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY pipeline pipeline
COPY agents agents
RUN pip wheel --no-cache-dir --no-deps --no-index --find-links /wheels --wheel-dir /wheels . \
 && python -m venv /opt/undercurrent \
 && /opt/undercurrent/bin/pip install --no-cache-dir --no-index --find-links /wheels undercurrent

FROM python:3.11.13-slim-bookworm
COPY --from=build /usr/share/fonts/truetype/wqy /usr/share/fonts/truetype/wqy
COPY --from=build /opt/undercurrent /opt/undercurrent
ENV PATH=/opt/undercurrent/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    UNDERCURRENT_WEB_HOST=0.0.0.0
# Writes nowhere but /tmp, so the root file system may be read-only.
USER 10001:10001
WORKDIR /tmp
EXPOSE 6067
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:6067/readyz', timeout=4)"]
ENTRYPOINT ["undercurrent"]
CMD ["worker"]
