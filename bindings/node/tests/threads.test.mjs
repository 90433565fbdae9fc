// Threads, ends and memory: an engine belongs to one thread, keeps nothing alive, and loses nothing.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { Worker } from 'node:worker_threads'

import { Engine } from 'fallgate'

import { asking, at, DOOR, door, folder } from './engines.mjs'

const module = JSON.stringify(join(folder, 'index.js'))

/** A worker that runs this body, with `data`, `post` and the package at hand. */
function worker(body, data) {
  const code = `
    const { parentPort, workerData: data } = require('node:worker_threads')
    const { Engine } = require(${module})
    const post = (message) => parentPort.postMessage(message)
    ${body}`
  return new Worker(code, { eval: true, workerData: data })
}

const message = (thread) => new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject))

test('workers decide by the same bytes at the same time', async () => {
  const bytes = door().bundleBytes()
  const body = `
    const engine = Engine.open(data.bytes)
    let allowed = 0
    for (let i = 0; i < 20_000; i++) {
      data.request.subject.properties.level = i % 6
      if (engine.decide(data.request).allowed) allowed += 1
    }
    post(allowed)`
  const threads = Array.from({ length: 4 }, () => worker(body, { bytes, request: asking() }))
  const counts = await Promise.all(threads.map(message))
  // Levels 3, 4 and 5 of each six; 20,000 is 3,333 times six and two more.
  assert.deepEqual(counts, [9_999, 9_999, 9_999, 9_999])
})

test('a worker that is ended in the middle of a call takes nobody with it', async () => {
  const body = `
    const engine = Engine.open(data.bytes)
    post('begun')
    for (;;) {
      engine.decide(data.request)
      engine.decideManyAsync(Array(50).fill(data.request))
      engine.observe('sensor', 'ok')
    }`
  const here = door()
  for (let i = 0; i < 8; i++) {
    const thread = worker(body, { bytes: here.bundleBytes(), request: asking() })
    await message(thread)
    await thread.terminate()
    assert.equal(here.decide(asking(), at(i)).allowed, true)
  }
})

test('an engine cannot be sent to a thread, and a stolen handle is none', () => {
  assert.throws(() => {
    const engine = door()
    Engine.prototype.decide.call({ ...engine }, asking())
  }, TypeError)
  const clone = structuredClone(door())
  assert.equal(clone instanceof Engine, false)
})

test('an open engine does not keep the process alive', () => {
  const code = `
    const { Engine } = require(${module})
    const engine = Engine.open(${JSON.stringify(DOOR)})
    engine.observe('sensor', 'ok')
    for (const _ of engine.events());
    engine.decideManyAsync([${JSON.stringify(asking())}]).then(([decision]) => console.log(decision.reason))`
  const ended = spawnSync(process.execPath, ['-e', code], { timeout: 20_000, encoding: 'utf8' })
  assert.deepEqual([ended.status, ended.signal, ended.stdout], [0, null, 'allowed_by_rule\n'], ended.stderr)
})

test('a process that ends at once, with an engine and a batch under way, ends well', () => {
  const code = `
    const { Engine } = require(${module})
    const engine = Engine.open(${JSON.stringify(DOOR)})
    engine.decideManyAsync(Array(2000).fill(${JSON.stringify(asking())}))
    process.exit(7)`
  for (let i = 0; i < 5; i++) {
    const ended = spawnSync(process.execPath, ['-e', code], { timeout: 20_000, encoding: 'utf8' })
    assert.deepEqual([ended.status, ended.signal], [7, null], ended.stderr)
  }
})

test('a million random calls leak nothing', { timeout: 300_000 }, async () => {
  assert.equal(typeof globalThis.gc, 'function', 'run with --expose-gc')
  let seed = 20_260_101
  const random = (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const engine = door()
  let ms = 1
  const request = asking()
  const bytes = Buffer.from(JSON.stringify(request))
  const broken = asking((asked) => (asked.context.note = { deep: [undefined] }))
  const calls = [
    () => engine.decide(request, at((ms += random(3)))),
    () => {
      request.subject.properties.level = random(9)
      request.subject.id = `user-${random(50_000)}`
      return engine.decide(request, at(ms))
    },
    () => engine.decideJson(bytes, at(ms)),
    () => engine.decide(broken, at(ms)),
    () => engine.decide({ ...request, action: 'door:log' }, at(ms)),
    () => engine.decideJson('{"subject":', at(ms)),
    () => engine.observe('sensor', ['ok', 'failed', 'degraded', 'unknown'][random(4)], at(ms)),
    () => engine.pollEvent(),
    () => engine.counters(),
    () => engine.enforce(request, at(ms)),
  ]
  const rare = [
    () => engine.explain(request, at(ms)),
    () => engine.activate(DOOR, at(ms)),
    () => new Engine().close(),
    () => Engine.open(DOOR).decide(request),
    () => engine.drill({ drill: 'x', steps: [{ at: '0s', decide: request }] }),
  ]
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      try {
        if (random(500) === 0) rare[random(rare.length)]()
        else calls[random(calls.length)]()
      } catch (error) {
        if (error.code !== 'denied') throw error
      }
      if (i % 10_000 === 0) await engine.decideManyAsync([request, broken], at(ms))
    }
    // Handles are let go of after their objects were collected, in turns of the event loop.
    for (let i = 0; i < 4; i++) {
      globalThis.gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return process.memoryUsage().rss / 2 ** 20
  }
  await run(200_000)
  const before = await run(100_000)
  const after = await run(700_000)
  console.log(`rss before ${before.toFixed(1)} MiB, after ${after.toFixed(1)} MiB`)
  assert.ok(after - before < 16, `${before} MiB became ${after} MiB`)
})
