// The Express gateway, started as a process of its own and called over HTTP, with bundles that are missing, forged and sound.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { folder, policies } from './engines.mjs'

/** How long anything may take before a test gives up; nothing that passes takes as long. */
const PATIENCE_MS = 120_000

const ADMIN = 'CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs'
const VIEWER = 'CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs'

/** The command that the package brings along. */
function fallgate(...args) {
  const ended = spawnSync(process.execPath, [join(folder, 'bin', 'fallgate.js'), ...args], { encoding: 'utf8', timeout: PATIENCE_MS })
  assert.equal(ended.status, 0, `fallgate ${args.join(' ')}: ${ended.stderr}`)
}

/** A server of the test's own, whose answer is made by `answer`. */
async function serve(t, answer) {
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${server.address().port}`, server }
}

/** Keys, a trust root and a signed bundle of the shipped pack, and the gateway between a client and an application. */
async function gateway(t) {
  const place = mkdtempSync(join(tmpdir(), 'fallgate-gateway-'))
  t.after(() => rmSync(place, { recursive: true }))
  const at = (name) => join(place, name)
  for (const key of ['release', 'security', 'stranger']) fallgate('keys', 'new', '-o', at(`${key}.key`))
  const keys = ['release', 'security'].flatMap((key) => ['--key', at(`${key}.key.pub`)])
  fallgate('keys', 'trust', ...keys, '--threshold', '2', '--until', '2126-01-01T00:00:00Z', '-o', at('trust.json'))
  const signed = (name, pack, signers = ['release', 'security']) => {
    fallgate('build', pack, '--key', at(`${signers[0]}.key`), '-o', at(name))
    for (const signer of signers.slice(1)) fallgate('sign', at(name), '--key', at(`${signer}.key`), '-o', at(name))
    return readFileSync(at(name))
  }
  const pack = join(policies, 'authzen-gateway')
  const sound = signed('sound.json', pack)

  const reached = []
  const application = await serve(t, (request, response, body) => {
    reached.push(`${request.method} ${request.url} ${body}`.trimEnd())
    response.setHeader('content-type', 'application/json').end('{"from": "the application"}')
  })
  let well = true
  const directory = await serve(t, (_request, response) => response.writeHead(well ? 200 : 503).end())

  const args = [application.url, at('bundle.json'), at('trust.json'), `${directory.url}/healthz`, '0']
  const child = spawn(process.execPath, [join(folder, 'examples', 'gateway.mjs'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  })
  const lines = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)))
  /** The first line that has something to say about it, as soon as there is one. */
  const said = async (about) => {
    for (const until = Date.now() + PATIENCE_MS; ; await sleep(10)) {
      const found = lines.findIndex((line) => about(line))
      if (found >= 0) return lines.splice(found, 1)[0]
      assert.equal(child.exitCode, null, 'the gateway has ended')
      assert.ok(Date.now() < until, `it was not said: ${JSON.stringify(lines)}`)
    }
  }

  const first = await said((line) => 'refused' in line || 'activated' in line)
  const port = (await said((line) => 'listening' in line)).listening
  /** What a request comes to: 200, another status, or the reason of a deny, which only the gateway's output has. */
  const asks = (identity, method, path, body) => new Promise((resolve, reject) => {
    const headers = identity === undefined ? {} : { 'x-identity': identity }
    const sent = http.request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        if (response.statusCode !== 403) return resolve(response.statusCode)
        const { instance } = JSON.parse(Buffer.concat(chunks).toString())
        const id = instance.replace('urn:fallgate:decision:', '')
        said((line) => line.denied === id).then(({ reason }) => resolve(reason), reject)
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
  const comesTo = async (expected, ...request) => {
    for (const until = Date.now() + PATIENCE_MS; ; await sleep(20)) {
      const answer = await asks(...request)
      if (answer === expected) return
      assert.ok(Date.now() < until, `${request} stays at ${answer}, which should come to ${expected}`)
    }
  }
  /** Puts a bundle in its place, or takes it away, and gives what the gateway says of it. */
  const deliver = (bytes) => {
    if (bytes === undefined) rmSync(at('bundle.json'))
    else writeFileSync(at('bundle.json'), bytes)
    child.kill('SIGHUP')
    return said((line) => 'refused' in line || 'activated' in line)
  }
  const next = (edit) => {
    cpSync(pack, at('next'), { recursive: true })
    const text = readFileSync(join(at('next'), 'pack.yaml'), 'utf8')
    assert.match(text, /^revision: 1$/m)
    writeFileSync(join(at('next'), 'pack.yaml'), text.replace(/^revision: 1$/m, 'revision: 2'))
    const data = JSON.parse(readFileSync(join(at('next'), 'data.json'), 'utf8'))
    edit(data.roles)
    writeFileSync(join(at('next'), 'data.json'), JSON.stringify(data))
    return at('next')
  }
  return { application, asks, comesTo, deliver, first, next, reached, signed, sound, setDirectory: (value) => (well = value) }
}

test('a bundle that is missing, forged or not signed by enough takes nobody\'s place', { timeout: 600_000 }, async (t) => {
  const { asks, deliver, first, next, reached, signed, sound } = await gateway(t)
  assert.equal(first.refused, 'unreadable')
  assert.equal(await asks(ADMIN, 'GET', '/todos'), 'no_policy')
  assert.equal((await deliver(sound)).activated, 1)
  assert.equal(await asks(VIEWER, 'GET', '/todos'), 200)
  assert.equal(await asks('summer', 'POST', '/todos', '{}'), 'indeterminate')

  const pack = next((roles) => (roles.summer = 'editor'))
  const renewed = signed('next.json', pack)
  const envelope = JSON.parse(renewed.toString())
  const payload = Buffer.from(envelope.payload, 'base64').toString().replace('editor', 'admin ')
  const forged = [
    [JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }), 'altered'],
    [JSON.stringify({ ...envelope, signatures: [] }), 'stripped'],
    [signed('one.json', pack, ['release']), 'under_signed'],
    [signed('stranger.json', pack, ['stranger']), 'unknown_key'],
    [sound.subarray(0, sound.length / 2), 'syntax'],
    [undefined, 'unreadable'],
  ]
  for (const [bytes, code] of forged) {
    assert.equal((await deliver(bytes)).refused, code)
    assert.equal(await asks(VIEWER, 'GET', '/todos'), 200, code)
    assert.equal(await asks('summer', 'POST', '/todos', '{}'), 'indeterminate', code)
  }
  assert.deepEqual(new Set(reached.splice(0)), new Set(['GET /todos']))

  assert.deepEqual(await deliver(renewed), { activated: 2 })
  assert.equal(await asks('summer', 'POST', '/todos', '{"title": "milk"}'), 200)
  assert.deepEqual(reached, ['POST /todos {"title": "milk"}'])
  // An older one is no way back.
  assert.equal((await deliver(sound)).refused, 'older_revision')
  assert.equal(await asks('summer', 'POST', '/todos', '{}'), 200)
})

test('without the directory roles stay as they are, and to-dos go on', { timeout: 600_000 }, async (t) => {
  const { asks, comesTo, deliver, reached, setDirectory, sound } = await gateway(t)
  await deliver(sound)
  await comesTo(200, ADMIN, 'PATCH', '/users/rick', '{}')
  setDirectory(false)
  await comesTo('signal_unavailable', ADMIN, 'PATCH', '/users/rick', '{}')
  assert.equal(await asks(VIEWER, 'GET', '/todos'), 200)
  assert.equal(await asks(ADMIN, 'PUT', '/todos/7', '{}'), 200)
  reached.length = 0
  assert.equal(await asks(ADMIN, 'PATCH', '/users/rick', '{"role": "admin"}'), 'signal_unavailable')
  assert.deepEqual(reached, [])
  setDirectory(true)
  await comesTo(200, ADMIN, 'PATCH', '/users/rick', '{}')
})

test('nonsense is denied and the next request is not', { timeout: 600_000 }, async (t) => {
  const { application, asks, deliver, reached, sound } = await gateway(t)
  await deliver(sound)
  for (const [identity, method, path, reason] of [
    [undefined, 'GET', '/todos', 'invalid_request'],
    ['', 'GET', '/todos', 'invalid_request'],
    ['x'.repeat(5_000), 'GET', '/todos', 'limit_exceeded'],
    ['__proto__', 'GET', '/todos', 'indeterminate'],
    [ADMIN, 'OPTIONS', '/todos', 'unknown_action'],
    [ADMIN, 'GET', '/todos/../secrets', 'no_matching_rule'],
    [ADMIN, 'GET', '/%2e%2e/secrets', 'no_matching_rule'],
    [ADMIN, 'GET', '//todos', 'no_matching_rule'],
  ]) {
    assert.equal(await asks(identity, method, path), reason, `${identity} ${method} ${path}`)
  }
  assert.deepEqual(reached, [])
  assert.equal(await asks(ADMIN, 'GET', '/todos?done=1'), 200)
  // It goes to the application, not to where the request's own line points.
  assert.equal(await asks(ADMIN, 'GET', 'http://192.0.2.1/todos'), 200)
  assert.deepEqual(reached, ['GET /todos?done=1', 'GET /todos'])

  // An application that is away is no deny, and no allow either.
  application.server.close()
  application.server.closeAllConnections()
  assert.equal(await asks(ADMIN, 'GET', '/todos'), 502)
})
