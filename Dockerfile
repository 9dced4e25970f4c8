# One image for every role: web (`serve`), `worker` and `migrate`.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
# Versions and hashes come from the lock; what only developers need stays out.
RUN awk '/^[a-z]/ { ours = /^uv==/ } ours' requirements.lock > uv.lock \
    && pip install --no-cache-dir --require-hashes --no-deps -r uv.lock \
    && python -m venv --without-pip /opt/twintill
COPY src ./src
COPY migrations ./migrations
RUN uv pip install --no-cache --python /opt/twintill/bin/python --compile-bytecode \
    --constraint requirements.lock --build-constraint requirements.lock .

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin twintill
WORKDIR /app
COPY --from=build /opt/twintill /opt/twintill
ENV PATH=/opt/twintill/bin:$PATH PYTHONUNBUFFERED=1
USER twintill
EXPOSE 8000
ENTRYPOINT ["twintill"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
