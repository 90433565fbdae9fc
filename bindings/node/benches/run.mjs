// Measures the package beside its floors and its peers: the lanes of one workload in turn, after all of them gave the
// same answer to every request. Machines are shared and noisy: only ratios within one run count.
//
//   node run.mjs [--smoke]    `--smoke` checks that the engines agree and times next to nothing
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import * as casbin from './casbin.mjs'
import * as cedar from './cedar.mjs'
import { REQUESTS, authzen, pack, people } from './workload.mjs'

const require = createRequire(import.meta.url)
const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
const smoke = process.argv.includes('--smoke')
const ROUNDS = smoke ? 1 : 7
const ROUND_MS = smoke ? 1 : 250

// One addon for both: the package's functions and the floors beside them.
const addon = join(folder, 'benches', 'floors.node')
const build = [join(folder, 'scripts', 'build.mjs'), '--floors']
if (spawnSync(process.execPath, build, { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) process.exit(1)
process.env.NAPI_RS_NATIVE_LIBRARY_PATH = addon
const { Engine } = require('../index.js')
const floors = require(addon)
const { version } = require('../package.json')

/** Every lane must say the same of every request, and not nearly always the same. */
function agree(lanes) {
  let allowed = 0
  for (let at = 0; at < REQUESTS; at++) {
    const expected = lanes[0].decide(at)
    for (const { name, decide } of lanes) {
      if (decide(at) !== expected) throw new Error(`request ${at}: ${lanes[0].name} says ${expected}, ${name} does not`)
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

const report = { node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model, fallgate: version, workloads: {} }
for (const kind of ['W1', 'W2']) {
  const persons = people()
  const requests = persons.map((person) => authzen(kind, person))
  const texts = requests.map((request) => JSON.stringify(request))
  const buffers = texts.map((text) => Buffer.from(text))
  const fresh = Engine.open(pack(kind, false))
  const cached = Engine.open(pack(kind, true))
  const method = new floors.Floor()

  const engines = [
    { name: `fallgate ${version}, object, uncached`, decide: (at) => fresh.decide(requests[at]).allowed },
    { name: `fallgate ${version}, object, cached`, decide: (at) => cached.decide(requests[at]).allowed },
    { name: `fallgate ${version}, buffer, uncached`, decide: (at) => fresh.decideJson(buffers[at]).allowed },
    { name: `fallgate ${version}, buffer, cached`, decide: (at) => cached.decideJson(buffers[at]).allowed },
    { name: `cedar-wasm ${cedar.version}, policies parsed before`, decide: cedar.lane(kind, persons) },
    { name: `casbin ${casbin.version}, enforceSync`, decide: await casbin.lane(kind, persons) },
  ]
  const allowed = agree(engines)
  const lanes = [
    { name: 'floor: an empty call of a function', run: () => floors.floorCall() },
    { name: 'floor: an empty call of a method', run: () => method.call() },
    { name: 'floor: the fields read one by one', run: (at) => floors.floorFields(requests[at]) },
    { name: 'floor: JSON.stringify and a typed parse', run: (at) => floors.floorParse(JSON.stringify(requests[at])) },
    ...engines.map(({ name, decide }) => ({ name, run: decide })),
  ]
  const medians = measure(lanes)
  const results = lanes.map(({ name }, at) => ({ name, ns: Math.round(medians[at]) }))
  report.workloads[kind] = { agreed: REQUESTS, allowed, results }
  if (!smoke) {
    console.log(`\n${kind}: ${REQUESTS} requests agreed on, ${allowed} of them allowed; ns a decision, median of ${ROUNDS} rounds`)
    for (const { name, ns } of results) console.log(`  ${name.padEnd(52)} ${String(ns).padStart(9)}`)
  }
}
// What the calls gave is used, so that none of them can be left out.
report.calls = sink
console.log(JSON.stringify(report))
