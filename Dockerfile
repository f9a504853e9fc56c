# The service's image: web server, worker, beat and clock run from it, each with its own command (see docker-compose.yml).
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
RUN python -m venv /venv
COPY requirements.txt .
# Wheels only, each with the hash that the lock names: nothing is compiled, and nothing unknown is installed.
RUN /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt

FROM python:${PYTHON}-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/app/static
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
# The key is of no use to anybody: it serves this one command and stays in no layer's environment.
RUN SECRET_KEY=for-collectstatic-only python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q /app
# No name and no home: an account that owns nothing, in the image or on the host.
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "config.wsgi"]
