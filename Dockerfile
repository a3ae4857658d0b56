# syntax=docker/dockerfile:1.10
# One image for every Whetstone process; the command picks which: web, gateway, recorder, worker, migrate, up.
ARG PYTHON=3.11
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:${PYTHON}-slim-bookworm AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv /venv && uv pip install --python /venv/bin/python -r pyproject.toml -c constraints.txt
COPY studio/label/argilla_server/requirements.txt argilla-requirements.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv /argilla && uv pip install --python /argilla/bin/python -r argilla-requirements.txt
COPY README.md ./
COPY storage storage
COPY studio studio
COPY pages pages
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --python /venv/bin/python --no-deps .

FROM python:${PYTHON}-slim-bookworm
RUN groupadd -g 10001 studio \
    && useradd -u 10001 -g studio -m -s /usr/sbin/nologin studio \
    && install -d -o studio -g studio /data
COPY --from=build /venv /venv
COPY --from=build /argilla /argilla
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STUDIO_HOME=/data STUDIO_HOST=0.0.0.0 \
    STUDIO_ARGILLA_PYTHON=/argilla/bin/python HF_HOME=/data/hf
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8501 8600 6900
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/health', timeout=4)"]
ENTRYPOINT ["studio"]
CMD ["up"]
