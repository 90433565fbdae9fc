// The plugins, behind the real servers and under load: nothing but an allow reaches a route.
import assert from 'node:assert/strict'
import http from 'node:http'
import test from 'node:test'

import express from 'express'
import Fastify from 'fastify'

import { Denied, Engine } from 'fallgate'
import { authorize as forExpress } from 'fallgate/express'
import { authorize as forFastify, fallgate } from 'fallgate/fastify'

import { asking, DOOR } from './engines.mjs'

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** One request to a server, with its headers and body. */
function get(port, path) {
  return new Promise((resolve, reject) => {
    const sent = http.get({ port, path, agent, host: '127.0.0.1' }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', reject)
  })
}

const boom = () => {
  throw new Error('secret-of-the-database')
}

/** What each route asks. The level comes with the URL, as a stranger would send it. */
const ROUTES = {
  '/open/:level': (request) => asking((asked) => (asked.subject.properties.level = Number(request.params.level))),
  '/later/:level': async (request) => {
    await new Promise((resolve) => setImmediate(resolve))
    return asking((asked) => (asked.subject.properties.level = Number(request.params.level)))
  },
  '/throws': boom,
  '/rejects': async () => boom(),
  '/nothing': () => undefined,
  '/log': () => asking((asked) => (asked.action = 'door:log')),
}
const FULFILLED = { '/log/ok': async () => {}, '/log/throws': boom, '/log/rejects': async () => boom() }

function expressServer(engine, passed) {
  const app = express()
  const end = (req, res) => {
    passed.push(req.url)
    res.json({ allowed: res.locals.decision.allowed })
  }
  for (const [path, request] of Object.entries(ROUTES)) app.get(path, forExpress(engine, { request }), end)
  for (const [path, notification] of Object.entries(FULFILLED)) {
    app.get(path, forExpress(engine, { request: ROUTES['/log'], obligations: { notification } }), end)
  }
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve({ port: server.address().port, close: () => new Promise((done) => server.close(done)) }))
  })
}

async function fastifyServer(engine, passed) {
  const app = Fastify()
  const end = async (request) => {
    passed.push(request.url)
    return { allowed: true }
  }
  for (const [path, request] of Object.entries(ROUTES)) {
    app.register(async (scope) => {
      await scope.register(fallgate, { engine, request })
      scope.get(path, end)
    })
  }
  for (const [path, notification] of Object.entries(FULFILLED)) {
    app.get(path, { preHandler: forFastify(engine, { request: ROUTES['/log'], obligations: { notification } }) }, end)
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: app.server.address().port, close: () => app.close() }
}

function refused({ status, headers, body }) {
  assert.equal(status, 403, body)
  assert.match(headers['content-type'], /^application\/problem\+json/)
  assert.equal(headers['cache-control'], 'no-store')
  const { instance, ...rest } = JSON.parse(body)
  assert.deepEqual(rest, { type: 'about:blank', title: 'Forbidden', status: 403 })
  assert.match(instance, /^urn:fallgate:decision:[0-9A-Z]{26}$/)
  assert.doesNotMatch(body, /secret|staff|level|rule/)
}

for (const [name, serve] of [['express', expressServer], ['fastify', fastifyServer]]) {
  test(`${name}: nothing but an allow reaches a route`, async (t) => {
    const engine = Engine.open(DOOR)
    const passed = []
    const server = await serve(engine, passed)
    t.after(() => server.close())
    for (const path of ['/throws', '/rejects', '/nothing', '/log', '/log/throws', '/log/rejects', '/open/1', '/open/NaN', '/open/1e300', '/later/2']) {
      refused(await get(server.port, path))
      assert.deepEqual(passed.splice(0), [], path)
    }
    for (const path of ['/open/5', '/later/3', '/log/ok']) {
      const { status, body } = await get(server.port, path)
      assert.deepEqual([status, JSON.parse(body)], [200, { allowed: true }], path)
      assert.deepEqual(passed.splice(0), [path])
    }
  })

  test(`${name}: under load, with bundles swapped below it, every answer is the right one`, async (t) => {
    const engine = Engine.open(DOOR)
    const passed = []
    const server = await serve(engine, passed)
    t.after(() => server.close())
    let revision = DOOR.revision
    const swaps = setInterval(() => engine.activate({ ...DOOR, revision: (revision += 1) }), 20)
    const REQUESTS = 3_000
    let sent = 0
    const answers = { allowed: 0, refused: 0 }
    const worker = async () => {
      while (sent < REQUESTS) {
        const number = (sent += 1)
        const level = number % 7
        const answer = await get(server.port, `${number % 2 ? '/open' : '/later'}/${level}`)
        if (level >= 3) {
          assert.equal(answer.status, 200, answer.body)
          answers.allowed += 1
        } else {
          refused(answer)
          answers.refused += 1
        }
      }
    }
    try {
      await Promise.all(Array.from({ length: 48 }, worker))
    } finally {
      clearInterval(swaps)
    }
    assert.ok(revision > DOOR.revision)
    assert.equal(passed.length, answers.allowed)
    assert.ok(answers.allowed > 1_000 && answers.refused > 1_000)
    engine.close()
    refused(await get(server.port, '/open/5'))
  })
}

test('a plugin that could protect nothing is refused when it is made', async () => {
  const engine = Engine.open(DOOR)
  for (const authorize of [forExpress, forFastify]) {
    assert.throws(() => authorize(undefined, { request: () => asking() }), TypeError)
    assert.throws(() => authorize({}, { request: () => asking() }), TypeError)
    assert.throws(() => authorize(engine, {}), TypeError)
    assert.throws(() => authorize(engine), TypeError)
  }
  const app = Fastify()
  await assert.rejects(async () => app.register(fallgate, { engine }), TypeError)
})

test('an engine that fails is a refusal', async () => {
  const failing = { enforceAsync: async () => boom() }
  const lying = { enforceAsync: async () => ({ allowed: true }) }
  const unawaited = { enforceAsync: () => Promise.reject(new Denied(Engine.open(DOOR).decide(asking()))) }
  for (const engine of [failing, lying, unawaited]) {
    let nexts = 0
    const response = { headersSent: false, headers: {}, setHeader(name, value) { this.headers[name] = value }, end(body) { this.body = body } }
    await forExpress(engine, { request: () => asking() })({}, response, () => (nexts += 1))
    assert.deepEqual([nexts, response.statusCode], [0, 403])
  }
})

test.after(() => agent.destroy())
