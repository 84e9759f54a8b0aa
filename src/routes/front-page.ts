import type { FastifyInstance } from 'fastify'
import { mediaType, prefersHtml, variesOn } from '../plugins/negotiation.ts'
import { createPageHandler, listOf } from '../plugins/pages.ts'
import { createStaticHandler, serveStatic } from '../plugins/static-answers.ts'

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#0a8"/></svg>'

/**
 * `GET /`, as a page for people and as JSON for programs: links to what the OpenAPI document of the app describes and a link
 * without parameters can get. `GET /favicon.ico` is the icon of all pages.
 * @param title that of the page
 * @param further the paths that the document does not describe, relative to `/`, with what is there
 */
export function frontPageRoutes(app: FastifyInstance, title: string, further: Readonly<Record<string, string>>): void {
  const links = () => {
    const described = app.describedRoutes.flatMap(({ method, url, schema }) => {
      const { required = [] } = (schema?.querystring ?? {}) as { readonly required?: readonly string[] }
      return method !== 'GET' || url.includes(':') || required.length > 0 ? [] : [[url.slice(1), schema?.summary]]
    })
    return { ...further, ...Object.fromEntries(described) }
  }
  const page = createPageHandler(title, () => listOf(links()))
  const json = createStaticHandler({ type: mediaType, makeBody: () => JSON.stringify({ title, links: links() }) })
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    reply.header('vary', variesOn(reply.getHeader('vary'), 'Accept'))
    return prefersHtml(request) ? page(request, reply) : json(request, reply)
  })
  serveStatic(app, '/favicon.ico', { type: 'image/svg+xml', makeBody: () => icon })
}
