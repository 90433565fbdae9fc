// An Express gateway before an application of to-dos: it forwards what a signed policy allows, and nothing else.
//
//   npm install fallgate express
//   node gateway.mjs http://127.0.0.1:9000 bundle.json trust.json http://127.0.0.1:9001/healthz 8000
//   curl -i -H 'x-identity: CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs' http://127.0.0.1:8000/todos
//
// In this order: the application behind it, the bundle of `policies/authzen-gateway`, the trust root whose keys must have
// signed it (docs/signing.md says how both are made), where the directory of people says that it is well, and the port.
// The header stands for what a real gateway has verified of an access token.
//
// To try: start it without the bundle, when it denies everything; bring the bundle, and `kill -HUP` the gateway. Change a
// character of the bundle, and do it again: it says why it refuses, and goes on with the one that it has. Stop what says
// that the directory is well: roles cannot be changed any more, to-dos can.
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import express from 'express'
import { Engine, FallgateError } from 'fallgate'
import { authorize } from 'fallgate/express'

const [upstream = '', bundle = '', trust = '', directory = '', port = '0'] = process.argv.slice(2)
const ASKED_EVERY_MS = 200
const ANSWERS_WITHIN_MS = 2_000

const engine = new Engine({ trust })

/** A line for whoever runs it. @param {Record<string, unknown>} line */
const say = (line) => console.log(JSON.stringify(line))

/** Takes the bundle that is there. One that is refused, or is not there, takes nobody's place. */
function load() {
  try {
    engine.activateSigned(bundle)
    say({ activated: engine.bundle()?.revision })
  } catch (error) {
    if (!(error instanceof FallgateError)) throw error
    say({ refused: error.code, because: error.message })
  }
}
load()
process.on('SIGHUP', load)

/** Reports whether the directory is well. If this ended, the signal would end by itself. @returns {Promise<never>} */
async function watch() {
  for (;;) {
    const answer = await fetch(directory, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) }).catch(() => undefined)
    engine.observe('directory', answer?.ok ? 'ok' : 'failed')
    await answer?.body?.cancel()
    await sleep(ASKED_EVERY_MS)
  }
}
void watch()

/**
 * What a route asks: who, and which route, by its template. Nobody without an identity.
 *
 * @param {string} route
 * @returns {(request: import('express').Request) => import('fallgate').Request}
 */
const asked = (route) => (request) => ({
  subject: { type: 'identity', id: request.get('x-identity') ?? '' },
  action: request.method,
  resource: { type: 'route', id: route },
})

/**
 * Hands a request to the application, and its answer back.
 *
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 */
async function forward(request, response) {
  const body = ['GET', 'HEAD'].includes(request.method) ? null : Readable.toWeb(request)
  const headers = { 'content-type': request.get('content-type') ?? 'application/octet-stream' }
  // The path that was decided, at the application, whatever host the client's own line names.
  const url = new URL(upstream)
  url.pathname = request.path
  url.search = new URLSearchParams(/** @type {Record<string, string>} */ (request.query)).toString()
  try {
    const answer = await fetch(url, /** @type {RequestInit} */ ({ method: request.method, headers, body, duplex: 'half', redirect: 'manual' }))
    response.status(answer.status).type(answer.headers.get('content-type') ?? 'text').send(Buffer.from(await answer.arrayBuffer()))
  } catch {
    response.status(502).json({ title: 'Bad Gateway' })
  }
}

const app = express()
app.disable('x-powered-by')
app.use((_request, response, next) => {
  // Why something was denied is for whoever reads this; the client is told the decision's identifier.
  response.on('finish', () => {
    const { decision } = response.locals
    if (decision !== undefined && !decision.allowed) say({ denied: decision.id, reason: decision.reason })
  })
  next()
})
// The words in braces are the policy's, those behind colons are Express's; both mean the same part of a path.
for (const route of ['/todos', '/todos/{todoId}', '/users/{userId}']) {
  app.all(route.replace(/\{(\w+)\}/g, ':$1'), authorize(engine, { request: asked(route) }), forward)
}
// A path that nobody has thought of is asked for too, and denied: no rule names it.
app.use(authorize(engine, { request: asked('unknown') }), forward)

const server = app.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  say({ listening: typeof address === 'object' ? address?.port : address })
})
