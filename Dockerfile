# The image of the services, one for all phases; docs/container.md says why it is as it is, and how to run it.
#
#   docker build --build-arg NBACTL_COMMIT="$(git rev-parse HEAD)" --tag nba-pipeline .

FROM python:3.13-slim

WORKDIR /app

# before the code, which changes more often; wheels only, so that nothing is compiled
COPY processors/requirements.txt processors/
RUN pip install --no-cache-dir --only-binary=:all: -r processors/requirements.txt

COPY processors processors
COPY shared shared

# what is compiled and translated here, no container need do when it starts; all may read it, for none runs as its owner
ENV NBACTL_CACHE=/app/translations
RUN python -m compileall -q processors shared \
    && python -m processors.rehearsal \
    && chmod -R a+rX .

# at the end: another commit leaves all above as it is
ARG NBACTL_COMMIT
ENV NBACTL_COMMIT=$NBACTL_COMMIT

USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["gunicorn", "-c", "python:processors.gunicorn_conf"]
