// Evidence: records drained into files, crashes between writing and confirming, labels, metrics and indicators.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { Engine, FallgateError } from 'fallgate'
import { FileSink } from 'fallgate/audit'

import { at, folder as packageFolder } from './engines.mjs'

const DESK = {
  fallgate: 1,
  name: 'desk',
  revision: 1,
  schema: { subject: { user: { email: 'string' } } },
  actions: { 'file:read': {}, 'file:write': { audit: 'required' } },
  postures: [{ name: 'shut', rank: 9, permits: 'none', leave: {} }],
  rules: [{ id: 'all', effect: 'allow' }],
  audit: { level: 'all', redact: ['subject.email'] },
}

const desk = (options) => Engine.open(DESK, { auditKey: new Uint8Array(32).fill(7), ...at(0), ...options })

function ask(engine, number, action = 'file:read') {
  const subject = { type: 'user', id: 'ann', properties: { email: 'ann@example.org' } }
  return Array.from({ length: number }, () => engine.decide({ subject, action, resource: { type: 'file', id: 'f-1' } }, at(1)))
}

const ids = (decisions) => decisions.map(({ id }) => id)

/** A folder of the test's own. */
function place(t) {
  const base = mkdtempSync(join(tmpdir(), 'fallgate-audit-'))
  t.after(() => rmSync(base, { recursive: true }))
  return join(base, 'audit')
}

const filesOf = (folder) => readdirSync(folder).filter((name) => name.endsWith('.jsonl')).sort().map((name) => join(folder, name))

/** What a sink has written, once the command has found the chain whole. */
function written(folder) {
  const verified = spawnSync(process.execPath, [join(packageFolder, 'bin', 'fallgate.js'), 'audit', 'verify', folder], { encoding: 'utf8' })
  assert.equal(verified.status, 0, verified.stdout + verified.stderr)
  const records = filesOf(folder).flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n')).map((line) => JSON.parse(line))
  assert.deepEqual(records.map(({ seq }) => seq), records.map((_, index) => index + 1))
  return records
}

const decided = (records) => records.filter(({ kind }) => kind === 'decision').map(({ body }) => body.decision.context.id)

test('a chain goes on through batches, files and engines', async (t) => {
  const folder = place(t)
  const asked = []
  for (let round = 0; round < 3; round += 1) {
    const sink = await FileSink.open(folder, { fileBytesMax: 2_000 })
    const engine = desk({ auditHead: sink.head })
    for (const number of [1, 4, 0, 2]) {
      asked.push(...ids(ask(engine, number)))
      assert.ok((await sink.drain(engine, at(2))) >= number)
    }
    assert.equal(await sink.drain(engine, at(2)), 0)
    assert.deepEqual(engine.drainAudit(at(2)), { lines: [], lastSeq: 0n })
    await sink.close()
  }
  const records = written(folder)
  assert.deepEqual(decided(records), asked)
  assert.ok(!JSON.stringify(records).includes('ann@example.org'))
  assert.ok(filesOf(folder).length > 3)
  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
  const sink = await FileSink.open(folder)
  assert.deepEqual(sink.head, { count: BigInt(records.length), head: records.at(-1).hash })
  await sink.close()
})

test('a sink that is not told of a confirmation does not write twice', async (t) => {
  class Forgetful extends Engine {
    acknowledgeAudit() {
      throw new Error('the host dies here')
    }
  }
  const folder = place(t)
  const engine = Forgetful.open(DESK, at(0))
  const asked = ids(ask(engine, 5))
  const first = await FileSink.open(folder)
  await assert.rejects(first.drain(engine, at(2)), /the host dies here/)
  await first.close()
  asked.push(...ids(ask(engine, 2)))
  const second = await FileSink.open(folder)
  const { lines, lastSeq } = engine.drainAudit(at(2))
  assert.ok(lines.length > 5, 'what was not confirmed comes again')
  for (let round = 0; round < 2; round += 1) assert.equal((await second.append(lines)).count, lastSeq)
  await second.close()
  assert.deepEqual(decided(written(folder)), asked)
})

/** Runs a program in a process of its own, with a sink of this folder. */
function spawned(program, folder, shell = 'exec "$@"') {
  const text = `import { Engine } from 'fallgate'
import { FileSink } from 'fallgate/audit'
const [folder, shared] = process.argv.slice(2)
const { pack, clock } = JSON.parse(shared, (name, value) => (name.endsWith('Ns') ? BigInt(value) : value))
const ask = (engine, number) => Array.from({ length: number }, () => engine.decide({ subject: { type: 'user', id: 'ann', properties: { email: 'e' } }, action: 'file:read', resource: { type: 'file', id: 'f-1' } }, clock).id)
const sink = await FileSink.open(folder)
${program}`
  const file = join(packageFolder, 'tests', `.audit-${process.pid}-${Math.random().toString(36).slice(2)}.mjs`)
  writeFileSync(file, text)
  const shared = JSON.stringify({ pack: DESK, clock: at(1) }, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  try {
    return spawnSync('sh', ['-c', shell, 'sh', process.execPath, file, folder, shared], { encoding: 'utf8', timeout: 60_000 })
  } finally {
    rmSync(file)
  }
}

test('a process that dies between writing and confirming loses and doubles nothing', (t) => {
  const folder = place(t)
  const asked = []
  for (let round = 0; round < 3; round += 1) {
    const died = spawned(
      `class Crashing extends Engine {
  acknowledgeAudit() { process.kill(process.pid, 'SIGKILL') }
}
const engine = Crashing.open(pack, { ...clock, auditHead: sink.head })
console.log(ask(engine, 5).join('\\n'))
await sink.drain(engine, clock)`,
      folder,
    )
    assert.equal(died.signal ?? died.status, died.signal ? 'SIGKILL' : 137, died.stderr)
    asked.push(...died.stdout.trimEnd().split('\n'))
  }
  assert.equal(asked.length, 15)
  assert.deepEqual(decided(written(folder)), asked)
})

test('a full disk leaves the records in the engine and a whole chain', (t) => {
  const folder = place(t)
  const done = spawned(
    `import assert from 'node:assert/strict'
const engine = Engine.open(pack, { ...clock, auditHead: sink.head })
const asked = ask(engine, 5)
await sink.drain(engine, clock)
const head = sink.head
ask(engine, 50)
const { lines } = engine.drainAudit(clock)
for (let round = 0; round < 2; round += 1) {
  await assert.rejects(sink.drain(engine, clock), { code: 'EFBIG' })
  assert.deepEqual(sink.head, head)
}
assert.deepEqual(engine.drainAudit(clock).lines, lines)
console.log(asked.join('\\n'))
await sink.close()`,
    folder,
    // A file is not to have more than 16 KiB, and a process that tries is not to be ended.
    `trap '' XFSZ; ulimit -f 32; exec "$@"`,
  )
  assert.equal(done.status, 0, done.stderr)
  assert.deepEqual(decided(written(folder)), done.stdout.trimEnd().split('\n'))
})

test('a sink does not go on behind a chain that was tampered with', async (t) => {
  const folder = place(t)
  const sink = await FileSink.open(folder)
  const engine = desk()
  ask(engine, 3)
  await sink.drain(engine, at(2))
  await sink.close()
  const [file] = filesOf(folder)
  const whole = readFileSync(file, 'utf8')
  const lines = whole.match(/.*\n/g)
  const tampered = {
    'cut off': whole.slice(0, -1),
    torn: whole.slice(0, -40),
    edited: whole.replace('file:read', 'file:lead'),
    dropped: [lines[0], ...lines.slice(2)].join(''),
    swapped: [...lines.slice(0, -2), lines.at(-1), lines.at(-2)].join(''),
    doubled: whole + lines.at(-1),
    'not named so': lines.slice(1).join(''),
    empty: '',
    foreign: `${whole}{}\n`,
  }
  for (const [what, content] of Object.entries(tampered)) {
    writeFileSync(file, content)
    await assert.rejects(FileSink.open(folder), (error) => error instanceof FallgateError && error.code === 'chain_broken', what)
    assert.equal(readFileSync(file, 'utf8'), content)
  }
  writeFileSync(file, whole)
  const again = await FileSink.open(folder)
  assert.equal(again.head.count, BigInt(lines.length))
  await again.close()
})

test('records of another chain are refused', async (t) => {
  const folder = place(t)
  const sink = await FileSink.open(folder)
  const first = desk()
  ask(first, 3)
  await sink.drain(first, at(2))
  const { head } = sink
  // An engine that was not told where the chain is begins one of its own, whose numbers are taken here.
  const other = desk()
  ask(other, 9, 'file:write')
  await assert.rejects(sink.drain(other, at(2)), { code: 'chain_broken' })
  const ahead = desk({ auditHead: { count: 99n, head: '1'.repeat(64) } })
  await assert.rejects(sink.drain(ahead, at(2)), { code: 'chain_broken' })
  await assert.rejects(sink.append(['{}']), { code: 'chain_broken' })
  assert.deepEqual(sink.head, head)
  assert.ok(other.drainAudit(at(2)).lines.length > 9, 'nothing was confirmed')
  assert.equal(written(folder).length, Number(head.count))
  await sink.close()
})

test('one writer at a time', async (t) => {
  const folder = place(t)
  const sink = await FileSink.open(folder)
  await assert.rejects(FileSink.open(folder), { code: 'locked' })
  await sink.close()
  await sink.close()
  await assert.rejects(sink.drain(desk(), at(2)), /the sink is closed/)
  const again = await FileSink.open(folder)
  const engine = desk()
  const asked = ids(ask(engine, 20))
  await Promise.all([again.drain(engine, at(2)), again.drain(engine, at(2)), again.drain(engine, at(2))])
  await again.close()
  assert.deepEqual(decided(written(folder)), asked)
})

test('a sink runs until it is stopped', async (t) => {
  const folder = place(t)
  const sink = await FileSink.open(folder)
  const engine = desk()
  const stop = new AbortController()
  // What runs keeps no process alive; a test that waits for it does.
  const alive = setInterval(() => {}, 10)
  const ran = sink.run(engine, { signal: stop.signal, everyMs: 1 })
  const asked = []
  for (let round = 0; round < 20; round += 1) {
    asked.push(...ids(ask(engine, 10)))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  stop.abort()
  await ran
  clearInterval(alive)
  await sink.close()
  assert.deepEqual(decided(written(folder)), asked)
})

test('a demanded record without room denies', async (t) => {
  const engine = desk({ limits: { auditEntriesMax: 5 } })
  const reasons = ask(engine, 10, 'file:write').map(({ reason }) => reason)
  assert.deepEqual(new Set(reasons), new Set(['allowed_by_rule', 'audit_unavailable']))
  const sink = await FileSink.open(place(t))
  await sink.drain(engine, at(2))
  assert.ok(ask(engine, 1, 'file:write')[0].allowed, 'what was written makes room')
  await sink.close()
})

test('a head and a key are whole or refused', () => {
  const one = '1'.repeat(64)
  for (const auditHead of [{}, { count: 1n }, { count: 0n, head: one }, { count: 1n, head: '0'.repeat(64) }, { count: -1n, head: one }, { count: 1, head: one }, 5]) {
    assert.throws(() => new Engine({ auditHead }), TypeError)
  }
  assert.throws(() => new Engine({ auditKey: Buffer.alloc(31) }), TypeError)
})

test('labels and reports are measured', () => {
  const engine = desk()
  const [decision] = ask(engine, 1)
  engine.enterPosture('shut', at(2))
  const entered = [...engine.events()].find(({ code }) => code === 'posture_entered')
  assert.ok(entered.id > 0 && entered.count > 0 && ['info', 'ticket', 'page'].includes(entered.severity))
  engine.labelDecision(decision.id, 'legitimate', at(3))
  assert.throws(() => engine.labelDecision(decision.id, 'fine', at(3)), FallgateError)
  assert.throws(() => engine.labelTrigger(99, 'valid', at(3)), FallgateError)
  engine.reportAttempts(3, at(3))
  engine.reportMitigation(true, at(3))
  // A sum in seconds has more digits behind its point than the largest exact integer has: 0.12345678901234568.
  engine.recordLatency('allow', 123_456_789n, at(3))
  assert.throws(() => engine.recordLatency('allow', 1_500, at(3)), TypeError)
  const { metrics, openmetrics } = engine.metrics(at(3))
  assert.ok(openmetrics.endsWith('# EOF\n') && Object.keys(metrics).length > 0)
  assert.ok(Object.keys(engine.slis(at(3))).length > 0)
  const head = engine.checkpoint(at(3))
  const last = JSON.parse(engine.drainAudit(at(3)).lines.at(-1))
  assert.deepEqual([last.kind, last.body], ['checkpoint', { count: Number(head.count), head: head.head }])
})
