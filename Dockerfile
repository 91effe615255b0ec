# The image of remora-proxy: built from source on Debian 12; what is left holds the program, the shared libraries that it
# names, certificates, and nothing else: no shell, no package manager, not root.
#   docker build -t remora .          (or buildah, podman)
#   docker run --network host -v ./bootstrap.yaml:/etc/remora/bootstrap.yaml:ro remora
FROM debian:bookworm-slim AS build
ENV REMORA_CACHE=/cache CCACHE_DIR=/cache/ccache CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1
WORKDIR /src
# What the build needs from outside, before the sources: a layer that stays while they change.
COPY scripts/deps scripts/env.sh scripts/
COPY cmake/RemoraDependencies.cmake cmake/
COPY tests/requirements.txt tests/
RUN scripts/deps build
COPY . .
RUN scripts/profile cmake --preset release -DREMORA_BENCH=OFF \
 && cmake --build build/release --target remora-proxy \
 && scripts/house/image-root build/release/bin/remora-proxy /image

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/remora-proxy"]
CMD ["-c", "/etc/remora/bootstrap.yaml"]
