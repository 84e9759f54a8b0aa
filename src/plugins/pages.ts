import { hash } from 'node:crypto'
import { createStaticHandler, type StaticAnswer } from './static-answers.ts'

const style = 'body{font:1rem/1.5 system-ui;max-width:42rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}'
const ownOnly = `style-src 'sha256-${hash('sha256', style, 'base64')}'; img-src 'self'`
const policy = `default-src 'none'; ${ownOnly}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/**
 * Sends a page for people to read, with nothing but text, one style and an icon.
 * @param makeBody returns HTML, of which no part comes from a request
 * @param root the path of `/`, relative to the page, because a proxy may serve it at another path
 */
export function createPageHandler(title: string, makeBody: () => string, root = '') {
  const makePage = () => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title} · hilos-bff</title>
<link rel="icon" type="image/svg+xml" href="${root}favicon.ico">
<style>${style}</style>
<h1>${title}</h1>
${makeBody()}</html>
`
  const headers = { 'content-security-policy': policy }
  return createStaticHandler({ type: 'text/html; charset=utf-8', makeBody: makePage, headers })
}

/** A list of links in HTML. The keys are paths relative to that of the page, the values say what is there. */
export function listOf(links: Readonly<Record<string, string>>): string {
  const items = Object.entries(links).map(
    ([path, text]) => `<li><a href="${path}">${path.replace(/.*\//, '')}</a> ${text}\n`,
  )
  return `<ul>\n${items.join('')}</ul>\n`
}

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#0a8"/></svg>'
export const icon: StaticAnswer = { type: 'image/svg+xml', makeBody: () => svg }
