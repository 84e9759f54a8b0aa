import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { pagePolicy } from './security-headers.ts'
import { type StaticAnswer, serveStatic } from './static-answers.ts'

/** The OpenAPI document of the routes of an app, as JSON. */
export function documentOf(app: FastifyInstance): StaticAnswer {
  return { type: 'application/json; charset=utf-8', makeBody: () => app.openapi('json') }
}

/**
 * Serves a page with the documentation at `/docs`, and the document at `/docs/json` and `/docs/yaml`.
 * @param described the app whose routes are shown. The page sends requests only if that is the app that serves it.
 */
export function serveDocumentation(app: FastifyInstance, described: FastifyInstance): void {
  const isReadOnly = app !== described
  serveStatic(app, '/docs', pageWith('docs/static', isReadOnly))
  serveStatic(app, '/docs/', pageWith('static', isReadOnly))
  serveStatic(app, '/docs/json', documentOf(described))
  serveStatic(app, '/docs/yaml', { type: 'application/yaml', makeBody: () => described.openapi('yaml') })
  for (const [name, file] of Object.entries(files)) {
    const type = `text/${name.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`
    serveStatic(app, `/docs/static/${name}`, { type, makeBody: () => readFile(new URL(file)) })
  }
}

const files = {
  'swagger-ui.css': import.meta.resolve('@fastify/swagger-ui/static/swagger-ui.css'),
  'swagger-ui-bundle.js': import.meta.resolve('@fastify/swagger-ui/static/swagger-ui-bundle.js'),
  'page.css': import.meta.resolve('./documentation/page.css'),
  'page.js': import.meta.resolve('./documentation/page.js'),
}

/** @param path the path of the files, relative to the page, because a proxy may serve it at another path */
function pageWith(path: string, isReadOnly: boolean): StaticAnswer {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>hilos-bff</title>
<link rel="stylesheet" href="${path}/swagger-ui.css">
<link rel="stylesheet" href="${path}/page.css">
<div id="swagger-ui"></div>
<script src="${path}/swagger-ui-bundle.js"></script>
<script src="${path}/page.js"${isReadOnly ? ' data-read-only' : ''}></script>
</html>
`
  const headers = { 'content-security-policy': pagePolicy }
  return { type: 'text/html; charset=utf-8', makeBody: () => html, headers }
}
