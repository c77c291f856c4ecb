# Silta in a container. Not built by this project's CI, which has no container engine: build it before you rely on it.
#
#   docker build -t silta .
#   docker run --read-only -p 8080:8080 -v silta:/var/lib/silta -v ./silta.toml:/etc/silta/silta.toml:ro silta
#
# In the mounted silta.toml, [server] listen must be "0.0.0.0:8080". Relative paths (the store, its key) fall into
# the volume, the only place that is written to.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin silta && mkdir /state

# glibc, certificate authorities, time zones and a user "nonroot" (65532); no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/silta /usr/local/bin/silta
COPY --from=build /src/LICENSE /usr/share/doc/silta/LICENSE
COPY --from=build --chown=nonroot:nonroot /state /var/lib/silta
WORKDIR /var/lib/silta
VOLUME /var/lib/silta
# Large documents are spooled to a private file: into the volume, since the rest is read-only.
ENV TMPDIR=/var/lib/silta
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["/usr/local/bin/silta", "status", "--ready", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["/usr/local/bin/silta"]
CMD ["serve", "--config", "/etc/silta/silta.toml"]
