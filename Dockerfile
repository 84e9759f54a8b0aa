# syntax=docker/dockerfile:1

# Tags say which release this is. For a build that can be repeated to the byte, pin the digest behind the tag:
#   docker buildx imagetools inspect node:24.21.0-bookworm-slim
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# What is needed to run, in a layer of its own that changes only with the lockfile.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/node tools/node
RUN npm ci --omit=dev

# What is needed to build, none of which goes further than dist/.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/node tools/node
RUN npm ci
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

# Asks the operators' listener, wherever ADMIN_HOST and ADMIN_PORT put it; without one there is nothing to ask.
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 \
  CMD ["node", "-e", "const { ADMIN_HOST: host, ADMIN_PORT: port = '3001' } = process.env; const at = !host || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host; port === '0' || fetch(`http://${at}:${port}/livez`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]

# node itself is PID 1: npm would keep SIGTERM to itself. The flags keep the environment, and the token in it, out of
# diagnostic reports, and SIGUSR1 from opening the inspector.
CMD ["node", "--report-exclude-env", "--disable-sigusr1", "dist/main.js"]
