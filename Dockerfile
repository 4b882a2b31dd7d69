# The program alone, run by a user without rights. The database and the data folder come from outside.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    SQLX_OFFLINE=true cargo build --release --locked && cp target/release/stipend /stipend

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/stipend --create-home stipend
COPY --from=build /stipend /usr/local/bin/stipend
USER stipend
ENV STIPEND_BIND=0.0.0.0:3000 STIPEND_DATA_DIR=/var/lib/stipend
VOLUME /var/lib/stipend
EXPOSE 3000
ENTRYPOINT ["stipend"]
CMD ["serve"]
