// Measures the package beside its floors and its peers: the lanes of one workload in turn, after all of them gave the
// same answer to every request. The medians go into a record for each workload, from which docs/benchmarks.md is written.
// Machines are shared and noisy: only ratios within one run count. `QUICK=1` tries whether everything runs.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { REQUESTS, authzen, pack, people } from './workload.mjs'

const require = createRequire(import.meta.url)
const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
const quick = !['', '0'].includes(process.env.QUICK ?? '')
const ROUNDS = quick ? 1 : 9
const ROUND_MS = quick ? 1 : 250
// Where the records of all benches go.
const records = join(folder, '..', '..', 'target', 'bench', 'node')

// One addon for both: the package's functions and the floors beside them.
const addon = join(folder, 'benches', 'floors.node')
const build = [join(folder, 'scripts', 'build.mjs'), '--floors']
if (spawnSync(process.execPath, build, { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) process.exit(1)
process.env.NAPI_RS_NATIVE_LIBRARY_PATH = addon
const { Engine } = require('../index.js')
const floors = require(addon)
const { version } = require('../package.json')

/** The engines of others; one that is not installed is left out, and said to be. */
async function peers(kind, persons) {
  const found = []
  for (const [engine, variant, timed] of [
    ['cedar-wasm', 'policies parsed before', 'the call on an object made before'],
    ['casbin', 'enforceSync', 'the call on objects made before'],
  ]) {
    try {
      const { version, lane } = await import(`./${engine === 'casbin' ? 'casbin' : 'cedar'}.mjs`)
      found.push({ engine, version, variant, timed, decide: await lane(kind, persons) })
    } catch (error) {
      console.error(`${engine} is left out: ${error.message}`)
    }
  }
  return found
}

/** Every lane must say the same of every request, and not nearly always the same. */
function agree(lanes) {
  let allowed = 0
  for (let at = 0; at < REQUESTS; at++) {
    const expected = lanes[0].decide(at)
    for (const { engine, variant, decide } of lanes) {
      if (decide(at) !== expected) throw new Error(`request ${at}: ${engine}, ${variant} does not say ${expected}; nothing was timed`)
    }
    if (expected) allowed += 1
  }
  if (allowed < REQUESTS / 20 || allowed > (REQUESTS * 19) / 20) throw new Error(`${allowed} of ${REQUESTS} allowed: agreeing says nothing`)
  return allowed
}

let sink = 0
/** Nanoseconds a call, once. */
function round(run) {
  let calls = 0
  const started = process.hrtime.bigint()
  const end = started + BigInt(ROUND_MS) * 1_000_000n
  let now = started
  do {
    for (let at = 0; at < 256; at++) sink += run((calls + at) & (REQUESTS - 1)) ? 1 : 0
    calls += 256
    now = process.hrtime.bigint()
  } while (now < end)
  return Number(now - started) / calls
}

/** Times the lanes in turn, so that a noisy moment does not fall on one of them alone; the median of the rounds. */
function measure(lanes) {
  for (const { run } of lanes) round(run)
  const rounds = lanes.map(() => [])
  for (let turn = 0; turn < ROUNDS; turn++) lanes.forEach(({ run }, at) => rounds[at].push(round(run)))
  return rounds.map((found) => found.sort((a, b) => a - b)[found.length >> 1])
}

const machine = { processor: cpus()[0]?.model ?? 'an unnamed processor', cores: cpus().length, tool: `Node.js ${process.versions.node}` }
for (const kind of ['W1', 'W2']) {
  const persons = people()
  const requests = persons.map((person) => authzen(kind, person))
  const texts = requests.map((request) => JSON.stringify(request))
  const buffers = texts.map((text) => Buffer.from(text))
  const fresh = Engine.open(pack(kind, false))
  const cached = Engine.open(pack(kind, true))
  const method = new floors.Floor()

  const ours = (variant, timed, decide) => ({ engine: 'fallgate', version, variant, timed, decide })
  const engines = [
    ours('object', '`decide` on an object', (at) => fresh.decide(requests[at]).allowed),
    ours('object, cached', 'the same, out of the cache', (at) => cached.decide(requests[at]).allowed),
    ours('buffer', '`decideJson` on a Buffer of the JSON', (at) => fresh.decideJson(buffers[at]).allowed),
    ours('buffer, cached', 'the same, out of the cache', (at) => cached.decideJson(buffers[at]).allowed),
    ...(await peers(kind, persons)),
  ]
  const allowed = agree(engines)
  const floor = (engine, variant, timed, run) => ({ engine, version: '', variant, timed, run })
  const lanes = [
    floor('an empty call', 'function', 'a native function that returns a number', () => floors.floorCall()),
    floor('an empty call', 'method', 'a native method that returns a number', () => method.call()),
    floor('floor', 'the fields one by one', 'reading what a decision reads, property by property', (at) => floors.floorFields(requests[at])),
    floor('floor', 'stringify and a typed parse', '`JSON.stringify`, and parsing the text into a type', (at) => floors.floorParse(JSON.stringify(requests[at]))),
    ...engines.map((engine) => ({ ...engine, run: engine.decide })),
  ]
  const medians = measure(lanes)
  const figures = lanes.map(({ engine, version, variant, timed }, at) => ({ engine, version, variant, timed, value: medians[at], unit: 'ns' }))
  console.log(`${kind}: ${engines.length} engines agree on ${REQUESTS} requests, ${allowed} of them allowed; ns a decision, median of ${ROUNDS} rounds`)
  for (const { engine, variant, value } of figures) console.log(`  ${`${engine}, ${variant}`.padEnd(52)} ${value.toFixed(0).padStart(9)}`)
  const date = new Date().toISOString().slice(0, 10)
  const record = { workload: kind, date, machine, quick, agreed: REQUESTS, allowed, lanes: figures }
  mkdirSync(records, { recursive: true })
  writeFileSync(join(records, `${kind}.json`), `${JSON.stringify(record, null, 2)}\n`)
}
// What the calls gave is used, so that none of them can be left out.
if (sink < 0) throw new Error('a call counted backwards')
