// What a decision asks the heap for, on the Rust side of this face: counted by a preloaded library that looks at who calls.
// The engine itself allocates nothing for such a decision (benches/tests/allocations.rs shows that), so what is counted here
// is the face's: the numbers are declared below, with what each is for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { folder } from './engines.mjs'

/** The most that one decision may allocate, by what it is given. */
const DECLARED = {
  // What the bridge takes for a call, and the text of the answer, which grows where it has a deadline.
  object: 3,
  'object, cached': 4,
  // The same, and the values that are read out of the JSON.
  buffer: 40,
}

const SCRIPT = `
import { readSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { authzen, pack, people } from ${JSON.stringify(join(folder, 'benches', 'workload.mjs'))}
const { Engine } = createRequire(import.meta.url)(${JSON.stringify(join(folder, 'index.js'))})
const bytes = Buffer.alloc(8)
let file
const counted = () => {
  file ??= openSync(process.env.FALLGATE_COUNT)
  readSync(file, bytes, 0, 8, 0)
  return Number(bytes.readBigUInt64LE())
}
const persons = people().slice(0, 500)
const most = {}
for (const kind of ['W1', 'W2']) {
  const requests = persons.map((person) => authzen(kind, person))
  const buffers = requests.map((request) => Buffer.from(JSON.stringify(request)))
  const [fresh, cached] = [false, true].map((keeps) => Engine.open(pack(kind, keeps)))
  const lanes = {
    object: (at) => fresh.decide(requests[at]),
    'object, cached': (at) => cached.decide(requests[at]),
    buffer: (at) => fresh.decideJson(buffers[at]),
  }
  for (const [name, decide] of Object.entries(lanes)) {
    // What an answer's number stands for is learned at the first one: with the cache filled, and once more out of it.
    for (let at = 0; at < requests.length; at++) decide(at)
    const allowed = requests.filter((_, at) => decide(at).allowed).length
    if (allowed === 0 || allowed === requests.length) throw new Error(name + ': ' + allowed + ' allowed')
    for (let at = 0; at < requests.length; at++) {
      const before = counted()
      const decision = decide(at)
      const after = counted()
      if (decision.cached !== name.includes('cached')) throw new Error(name + ': request ' + at)
      most[name] = Math.max(most[name] ?? 0, after - before)
    }
  }
}
const before = counted()
new Engine()
console.log(JSON.stringify({ control: counted() - before, most }))
`

test('a decision allocates what is declared', { skip: process.platform !== 'linux' && 'the counter stands before the C library of GNU' }, () => {
  const made = mkdtempSync(join(tmpdir(), 'fallgate-counting-'))
  try {
    const counter = join(made, 'counting.so')
    const source = join(folder, '..', '..', 'benches', 'preload', 'counting.c')
    const compiled = spawnSync('cc', ['-std=gnu11', '-O1', '-shared', '-fPIC', source, '-o', counter], { encoding: 'utf8' })
    assert.equal(compiled.status, 0, compiled.error?.message ?? compiled.stderr)
    const env = { ...process.env, LD_PRELOAD: counter, FALLGATE_COUNTED: '.node', FALLGATE_COUNT: join(made, 'count') }
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], { env, encoding: 'utf8', cwd: folder })
    assert.equal(run.status, 0, run.stderr)
    const { control, most } = JSON.parse(run.stdout)
    assert.ok(control > 0, 'an engine was made, and nothing was counted')
    assert.deepEqual(Object.keys(most), Object.keys(DECLARED))
    for (const [name, count] of Object.entries(most)) {
      assert.ok(count <= DECLARED[name], `${name}: ${count} allocations of one decision, ${DECLARED[name]} are declared`)
    }
  } finally {
    rmSync(made, { recursive: true })
  }
})
