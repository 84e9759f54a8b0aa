# syntax=docker/dockerfile:1

# What every stage stands on: the release named below, or what NODE_IMAGE names, for example a mirror. The tag says which
# release this is; for a build that can be repeated to the byte, put the digest behind it as @sha256:…
#   docker buildx imagetools inspect node:24.21.0-bookworm-slim
ARG NODE_IMAGE=node-release
FROM docker.io/library/node:24.21.0-bookworm-slim AS node-release

# What is needed to run, in a layer of its own that changes only with the lockfile.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/node tools/node
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

# What is needed to build, none of which goes further than dist/.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/node tools/node
RUN --mount=type=cache,target=/root/.npm npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS runtime
ENV NODE_ENV=production \
    HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./

# The unprivileged user of the base image, by number so that Kubernetes can check runAsNonRoot. Nothing is written to disk.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM

# It asks the operators' listener, wherever ADMIN_HOST and ADMIN_PORT put it, and gives up by itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["node", "dist/healthcheck.js"]

# node itself is PID 1: npm would keep SIGTERM to itself. The flags keep the environment, and the token in it, out of
# diagnostic reports, and SIGUSR1 from opening the inspector.
CMD ["node", "--report-exclude-env", "--disable-sigusr1", "dist/main.js"]

# What this is. Last, because a new commit is no reason to build anything again:
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
# An empty COMMIT is none.
ARG VERSION=0.1.0
ARG COMMIT
ENV SOURCE_COMMIT=${COMMIT}
LABEL org.opencontainers.image.title="hilos-bff" \
      org.opencontainers.image.description="A backend-for-frontend for the Hilos WhatsApp API" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.base.name="docker.io/library/node:24.21.0-bookworm-slim"
