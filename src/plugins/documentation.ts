import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { pagePolicy } from './security-headers.ts'
import { type StaticAnswer, serveStatic } from './static-answers.ts'

/** The OpenAPI document of the routes of an app, as JSON. */
export function documentOf(app: FastifyInstance): StaticAnswer {
  return { type: 'application/json; charset=utf-8', makeBody: () => JSON.stringify(app.swagger()) }
}

/**
 * Serves a page with the documentation at `/docs`, and the document at `/docs/json` and `/docs/yaml`.
 * @param described the app whose routes are shown. The page sends requests only if that is the app that serves it.
 */
export function serveDocumentation(app: FastifyInstance, described: FastifyInstance): void {
  serveStatic(app, '/docs', pageWith('docs/static'))
  serveStatic(app, '/docs/', pageWith('static'))
  serveStatic(app, '/docs/json', documentOf(described))
  serveStatic(app, '/docs/yaml', { type: 'application/yaml', makeBody: () => described.swagger({ yaml: true }) })
  serveStatic(app, '/docs/static/swagger-initializer.js', initializer(app === described))
  for (const [name, type] of Object.entries(filesOfSwaggerUi))
    serveStatic(app, `/docs/static/${name}`, { type, makeBody: () => readFile(fileOfSwaggerUi(name)) })
}

const filesOfSwaggerUi = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

function fileOfSwaggerUi(name: string): URL {
  return new URL(import.meta.resolve(`@fastify/swagger-ui/static/${name}`))
}

/** @param files the path of the files, relative to the page, because a proxy may serve it at another path */
function pageWith(files: string): StaticAnswer {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hilos-bff</title>
<link rel="icon" type="image/png" href="${files}/favicon-32x32.png">
<link rel="stylesheet" href="${files}/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="${files}/swagger-ui-bundle.js"></script>
<script src="${files}/swagger-initializer.js"></script>
</html>
`
  const headers = { 'content-security-policy': pagePolicy }
  return { type: 'text/html; charset=utf-8', makeBody: () => html, headers }
}

/** https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
function initializer(sendsRequests: boolean): StaticAnswer {
  const options = JSON.stringify({
    dom_id: '#swagger-ui',
    layout: 'BaseLayout',
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
    ...(!sendsRequests && { supportedSubmitMethods: [] }),
  })
  const script = `SwaggerUIBundle({ ...${options}, url: new URL('../json', document.currentScript.src).href })\n`
  return { type: 'text/javascript; charset=utf-8', makeBody: () => script }
}
