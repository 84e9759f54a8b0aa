# syntax=docker/dockerfile:1

# The base of every stage, which --build-arg can replace, for example with one on a mirror. The tag names the release. For a
# build that is reproducible byte by byte, add the digest of the image as @sha256:…
#   docker buildx imagetools inspect node:24.21.0-bookworm-slim
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

# The production dependencies. Their layer changes only with the lockfile.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/node tools/node
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

# The build. Only its dist/ is copied into the image.
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

# The unprivileged user of the base image. It is a number, so that Kubernetes can check runAsNonRoot. The service does not write
# to disk.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM

# The health check asks the operators' listener at ADMIN_HOST and ADMIN_PORT. Its own timeout is shorter than this one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["node", "dist/healthcheck.js"]

# PID 1 is node itself, because npm would not pass SIGTERM on. The flags exclude the environment, which may contain the token,
# from diagnostic reports, and prevent SIGUSR1 from opening the inspector. Without a shell nothing here can forbid core dumps: see
# deploy/README.md.
CMD ["node", "--report-exclude-env", "--disable-sigusr1", "dist/main.js"]

# The labels come last, so that a new commit does not invalidate the cached layers:
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
# An empty COMMIT means that the commit is unknown.
ARG VERSION=0.1.0
ARG COMMIT
ENV SOURCE_COMMIT=${COMMIT}
LABEL org.opencontainers.image.title="hilos-bff" \
      org.opencontainers.image.description="A backend-for-frontend for the Hilos WhatsApp API" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.base.name="docker.io/library/node:24.21.0-bookworm-slim"
