// The verbs of an engine, as JavaScript has them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { Decision, Denied, Engine, FallgateError } from 'fallgate'

import { asking, at, DOOR, door, policies, shipped } from './engines.mjs'

const addon = createRequire(import.meta.url)('../native.js')

test('one package, whichever way it is loaded', () => {
  const required = createRequire(import.meta.url)('fallgate')
  assert.deepEqual(Object.keys(required).sort(), ['Decision', 'Denied', 'Engine', 'FallgateError'])
  assert.equal(required.Engine, Engine)
  assert.equal(required.Denied, Denied)
})

test('a fresh engine denies; a signal opens; silence closes', () => {
  const engine = new Engine()
  assert.equal(engine.decide(asking(), at(0)).reason, 'no_policy')
  engine.activate(DOOR, at(0))
  const vault = asking((request) => {
    request.action = 'door:vault'
    request.subject.properties.level = 9
  })
  const closed = engine.decide(vault, at(1))
  assert.equal(closed.reason, 'signal_unavailable')
  assert.deepEqual(closed.degraded, ['sensor'])
  assert.equal(engine.observe('sensor', 'ok', at(2)), 'taken')
  const open = engine.decide(vault, at(3))
  assert.deepEqual([open.allowed, open.reason, open.rule, open.bundle, open.revision], [true, 'allowed_by_rule', 'vault', 'door', 3])
  assert.equal(engine.signal('sensor'), 'ok')
  assert.equal(engine.signal('nobody'), null)
  assert.equal(engine.nextDeadline(), 10_004_000_000n)
  assert.equal(engine.decide(vault, at(10_100)).reason, 'signal_unavailable')
  assert.equal(engine.signal('sensor'), 'unknown')
})

test('an observation says what became of it', () => {
  const engine = door()
  assert.equal(engine.observe('sensor', 'ok', { ...at(1_000), observedAt: at(900).now.monotonicNs }), 'taken')
  assert.equal(engine.observe('sensor', 'ok', { ...at(1_000), observedAt: at(100).now.monotonicNs }), 'older')
  assert.equal(engine.observe('sensor', 'ok', { ...at(1_000), observedAt: at(9_000).now.monotonicNs }), 'future')
  assert.equal(engine.observe('nobody', 'ok', at(1_000)), 'unknown_signal')
  assert.equal(engine.observe('clock', 'ok', at(1_000)), 'not_observable')
})

test('a decision is frozen data, and its JSON is the core\'s', () => {
  const engine = door()
  const decision = engine.decide(asking(), at(1))
  assert.ok(decision instanceof Decision && Object.isFrozen(decision))
  assert.throws(() => (decision.allowed = false), TypeError)
  assert.deepEqual(structuredClone(decision), { ...decision })
  assert.equal(decision.expiresInMs, 30_000)
  assert.match(decision.id, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  const log = engine.decide(asking((request) => (request.action = 'door:log')), at(1))
  assert.deepEqual(log.obligations, [{ id: 'tell', type: 'notification', properties: { to: ['desk'] } }])
  assert.throws(() => log.obligations.push(1), TypeError)
  assert.throws(() => log.obligations[0].properties.to.push('x'), TypeError)
  assert.deepEqual(JSON.parse(JSON.stringify(log)).context.obligations, log.obligations)
  // The short answer and the whole one say the same.
  const again = engine.decide(asking(), at(1))
  assert.deepEqual({ ...again, cached: false }, { ...decision })
  assert.equal(again.cached, true)
  assert.deepEqual(JSON.parse(JSON.stringify(decision)), {
    decision: true,
    context: {
      id: decision.id,
      reason: 'allowed_by_rule',
      rule: 'staff-open',
      bundle: 'door',
      revision: 3,
      posture: 'normal',
      cached: false,
      degraded: [],
      expires_in_ms: 30_000,
      obligations: [],
    },
  })
})

test('a decision that was never made is the core\'s default: a deny', () => {
  const never = new Decision()
  assert.equal(never.allowed, false)
  assert.deepEqual(JSON.parse(JSON.stringify(never)), JSON.parse(addon.neverDecided()))
})

test('an object, its text and its bytes are decided alike', () => {
  for (const [pack, name] of [['payment-gateway', 'refund'], ['k8s-admission', 'pod'], ['idp-outage', 'open-console'], ['content-delivery', 'members-film']]) {
    const [object, text, bytes] = [0, 1, 2].map(() => Engine.open(join(policies, pack), at(0)))
    const request = shipped(pack, name)
    for (let ms = 1; ms < 4; ms++) {
      const expected = object.decide(request, at(ms))
      assert.deepEqual(text.decideJson(JSON.stringify(request), at(ms)), expected)
      assert.deepEqual(bytes.decideJson(Buffer.from(JSON.stringify(request)), at(ms)), expected)
    }
  }
})

test('an action is a name, or an object with one', () => {
  const engine = door()
  assert.equal(engine.decide(asking((request) => (request.action = 'door:open')), at(1)).detail, '`action.force` is missing')
  assert.equal(engine.decide(asking((request) => (request.action.properties = { force: true })), at(1)).reason, 'denied_by_rule')
  const log = (action) => engine.decide(asking((request) => (request.action = action)), at(1)).reason
  assert.deepEqual(['door:log', { name: 'door:log' }].map(log), ['allowed_by_rule', 'allowed_by_rule'])
  assert.equal(engine.decide(asking((request) => (request.action = 'door:close')), at(1)).reason, 'unknown_action')
})

test('many requests, here and on another thread', async () => {
  const engine = door()
  const requests = [asking(), asking((request) => (request.subject.properties.level = 1)), null, asking((request) => (request.context.note = 5n ** 99n)), asking((request) => (request.action = 'door:log'))]
  const expected = ['allowed_by_rule', 'no_matching_rule', 'invalid_request', 'invalid_request', 'allowed_by_rule']
  const here = engine.decideMany(requests, at(1))
  assert.deepEqual(here.map(({ reason }) => reason), expected)
  const changed = structuredClone(requests)
  const there = engine.decideManyAsync(changed, at(1))
  changed[1].subject.properties.level = 99
  const answers = await there
  assert.deepEqual(answers.map(({ reason }) => reason), expected)
  assert.ok(answers.every((answer) => answer instanceof Decision && Object.isFrozen(answer)))
  assert.deepEqual(engine.decideMany([]), [])
  assert.deepEqual(await engine.decideManyAsync([]), [])
  await assert.rejects(engine.decideManyAsync(null), TypeError)
  // Closing does not pull the engine from under a batch that is under way; what comes later is denied.
  const underWay = engine.decideManyAsync([asking()], at(2))
  engine.close()
  assert.equal((await underWay)[0].reason, 'allowed_by_rule')
  assert.equal((await engine.decideManyAsync([asking()], at(2)))[0].reason, 'no_policy')
})

test('enforce gives an allow, or throws', async () => {
  const engine = door()
  assert.equal(engine.enforce(asking(), at(1)).allowed, true)
  const log = asking((request) => (request.action = 'door:log'))
  const seen = []
  const notification = (obligation, decision) => seen.push([obligation.properties.to[0], decision.reason])
  assert.equal(engine.enforce(log, { ...at(1), obligations: { notification } }).allowed, true)
  assert.deepEqual(seen, [['desk', 'allowed_by_rule']])
  const denied = (check) => (error) => error instanceof Denied && error instanceof FallgateError && error.code === 'denied' && check(error)
  const bad = asking((request) => (request.subject.properties.level = 1))
  assert.throws(() => engine.enforce(bad, at(1)), denied(({ decision }) => decision.reason === 'no_matching_rule'))
  assert.throws(() => engine.enforce(null, at(1)), denied(({ decision }) => decision.reason === 'invalid_request'))
  assert.throws(() => engine.enforce(log, at(1)), denied(({ message }) => /no handler/.test(message)))
  for (const handlers of [{}, { notification: null }, { notification: 'x' }, Object.create({ notification })]) {
    assert.throws(() => engine.enforce(log, { ...at(1), obligations: handlers }), denied(({ message }) => /no handler/.test(message)))
  }
  const cause = new Error('the desk is closed')
  const throws = () => {
    throw cause
  }
  assert.throws(() => engine.enforce(log, { ...at(1), obligations: { notification: throws } }), denied((error) => error.cause === cause))
  const late = { notification: async () => {} }
  const fails = { notification: async () => throws() }
  assert.throws(() => engine.enforce(log, { ...at(1), obligations: late }), denied(({ message }) => /gives a promise/.test(message)))
  assert.throws(() => engine.enforce(log, { ...at(1), obligations: fails }), denied(({ message }) => /gives a promise/.test(message)))
  assert.equal((await engine.enforceAsync(log, { ...at(1), obligations: late })).allowed, true)
  await assert.rejects(engine.enforceAsync(log, { ...at(1), obligations: fails }), denied((error) => error.cause === cause))
  await assert.rejects(engine.enforceAsync(bad, at(1)), denied(({ decision }) => decision.reason === 'no_matching_rule'))
  await assert.rejects(engine.enforceAsync(log, at(1)), Denied)
})

test('a promise that nobody awaited allows nothing', async () => {
  const engine = door()
  assert.equal(engine.decide(asking(), at(1)).allowed, true)
  assert.equal(engine.decide(asking(), at(1)).then, undefined)
  for (const late of [engine.enforceAsync(asking(), at(1)), engine.decideManyAsync([asking()], at(1))]) {
    assert.ok(late instanceof Promise)
    assert.equal(late.allowed, undefined)
    assert.equal(late.decision, undefined)
    await late
  }
})

test('an explanation names the rules, and has no effect', () => {
  const engine = door()
  const explained = engine.explain(asking(), at(1))
  assert.deepEqual(explained.rules.map(({ rule, truth }) => [rule, truth]), [['lost-badges', 'false'], ['no-force', 'false'], ['staff-open', 'true']])
  assert.equal(engine.counters().cachedDecisions, 0)
  assert.match(engine.explain(asking((request) => delete request.subject.properties.level), at(1)).stopped, /is missing/)
  assert.match(engine.explain(null, at(1)).stopped, /plain object/)
  assert.ok(Object.isFrozen(explained.rules[0]))
})

test('events, counters and clocks', () => {
  const engine = door()
  engine.observe('sensor', 'ok', at(1))
  engine.observe('sensor', 'failed', at(2))
  engine.advance(at(3))
  const events = [...engine.events()]
  assert.deepEqual(events.map(({ code }) => code), ['bundle_activated', 'bundle_unsigned', 'signal_changed', 'signal_changed'])
  assert.deepEqual([events[0].bundle, events[0].revision], ['door', 3])
  assert.deepEqual([events[3].signal, events[3].from, events[3].to, events[3].at], ['sensor', 'ok', 'failed', { monotonicNs: 3_000_000n, wallNs: at(2).now.wallNs }])
  assert.equal(engine.pollEvent(), null)
  assert.deepEqual([...engine.events()], [])
  // The wall clock jumps an hour ahead of the monotonic one: what was reported is as old.
  const parted = { now: { ...at(10).now, wallNs: at(3_600_000).now.wallNs } }
  engine.advance(parted)
  assert.equal(engine.signal('clock'), 'failed')
  engine.anchorClocks(parted)
  assert.equal(engine.signal('clock'), 'ok')
  assert.deepEqual([...engine.events()].map(({ code }) => code), ['clock_failed', 'signal_changed', 'clock_anchored'])
  engine.decide(asking(), at(1))
  const { clockWentBack, ...counted } = engine.counters()
  assert.ok(clockWentBack > 0)
  assert.deepEqual(counted, { eventsDropped: 0, cachedDecisions: 1 })
  const { monotonicNs, wallNs } = Engine.now()
  assert.ok(monotonicNs > 0n && Math.abs(Number(wallNs / 1_000_000n) - Date.now()) < 60_000)
})

test('a bundle goes from engine to engine as bytes, and a file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fallgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const engine = door()
  const bytes = engine.bundleBytes()
  const file = join(folder, 'door.bundle.json')
  writeFileSync(file, bytes)
  for (const pack of [bytes, new Uint8Array(bytes), file, JSON.parse(bytes)]) {
    const other = Engine.open(pack, at(0))
    assert.deepEqual(other.bundle(), engine.bundle())
    assert.equal(other.decide(asking(), at(1)).allowed, true)
  }
  writeFileSync(file, `${bytes} `)
  assert.throws(() => Engine.open(file), { code: 'not_canonical' })
  assert.throws(() => Engine.open(Buffer.alloc(0)), { code: 'syntax' })
  assert.throws(() => Engine.open(bytes, { limits: { bundleBytesMax: 10 } }), { code: 'limit_exceeded' })
  assert.throws(() => Engine.open(file, { limits: { bundleBytesMax: 10 } }), { code: 'limit_exceeded' })
  assert.equal(new Engine().bundle(), null)
  assert.equal(new Engine().bundleBytes(), null)
})

test('a pack that is refused says where, and leaves the one before', () => {
  const engine = door()
  const broken = structuredClone(DOOR)
  broken.rules[0].when = 'subject.level >= '
  assert.throws(() => engine.activate(broken, at(1)), (error) => {
    assert.ok(error instanceof FallgateError)
    assert.equal(error.code, 'condition_syntax')
    assert.equal(error.findings[0].pointer, '/rules/0/when')
    return true
  })
  assert.throws(() => engine.activate({ ...DOOR, revision: 2 }, at(1)), { code: 'older_revision' })
  assert.throws(() => engine.activate({ ...DOOR, name: 'other' }, at(1)), { code: 'other_name' })
  assert.throws(() => engine.activate({ ...DOOR, rules: undefined }, at(1)), TypeError)
  assert.throws(() => engine.activate({ ...DOOR, revision: NaN }, at(1)), TypeError)
  assert.throws(() => Engine.open('/nowhere/at/all'), { code: 'unreadable' })
  const [refused] = [...engine.events()].filter(({ code }) => code === 'bundle_refused')
  assert.deepEqual([refused.revision, refused.cause], [2, 'older_revision'])
  assert.equal(engine.decide(asking(), at(2)).revision, 3)
  engine.activate({ ...DOOR, revision: 4 }, at(3))
  assert.equal(engine.decide(asking(), at(4)).revision, 4)
})

test('what a new bundle looks at is brought to it', () => {
  const engine = door()
  const noted = asking((request) => (request.context.note2 = 'x'))
  assert.equal(engine.decide(noted, at(1)).allowed, true)
  const next = structuredClone({ ...DOOR, revision: 4 })
  next.schema.context.note2 = 'string'
  next.rules.push({ id: 'no-notes', effect: 'deny', when: "context.note2 == 'x'" })
  engine.activate(next, at(2))
  assert.equal(engine.decide(noted, at(3)).rule, 'no-notes')
  // Also where a getter of the request activates it half-way.
  const meddled = asking((request) => {
    request.context.note2 = 'x'
    Object.defineProperty(request.context, 'ip', { enumerable: true, get: () => (other.activate(next, at(2)), '10.0.0.1') })
  })
  const other = door()
  assert.equal(other.decide(meddled, at(3)).rule, 'no-notes')
})

test('a drill runs beside the engine', () => {
  const pack = join(policies, 'payment-gateway')
  const engine = Engine.open(pack)
  const before = engine.counters()
  const report = engine.drill(join(pack, 'drills', 'identity-provider-silent.yaml'))
  assert.equal(report.passed, true)
  assert.match(report.decisionsHash, /^[0-9a-f]{64}$/)
  assert.ok(report.steps.some(({ decision }) => decision instanceof Decision && decision.reason === 'signal_unavailable'))
  assert.equal(typeof report.steps[0].at.monotonicNs, 'bigint')
  assert.deepEqual(engine.counters(), before)
  const drill = { drill: 'the sensor falls silent', steps: [{ at: '0s', observe: { sensor: 'ok' } }, { at: '20s', decide: asking(), expect: { effect: 'deny' } }] }
  const failed = door().drill(drill)
  assert.equal(failed.passed, false)
  assert.equal(failed.steps[1].failures.length, 1)
  assert.throws(() => door().drill({ drill: 'x' }), { code: 'missing_field' })
  assert.throws(() => door().drill('/nowhere.yaml'), { code: 'unreadable' })
  assert.throws(() => new Engine().drill(drill), { code: 'no_policy' })
  assert.throws(() => door().drill(5), TypeError)
})

test('options reach the core', () => {
  const id = (options) => Engine.open(DOOR, { ...at(0), ...options }).decide(asking(), at(1)).id
  assert.equal(id({}), id({}))
  assert.notEqual(id({}), id({ key: new Uint8Array(16).fill(7) }))
  assert.equal(door({ limits: { idBytesMax: 2 } }).decide(asking(), at(1)).reason, 'limit_exceeded')
  assert.equal(door({ limits: { requestDepthMax: 2 } }).decide(asking(), at(1)).reason, 'limit_exceeded')
  assert.equal(door({ limits: { cacheEntriesMax: 0 } }).decideMany([asking(), asking()], at(1))[1].cached, false)
  const skewed = door({ clockSkewMaxMs: 10 })
  skewed.advance({ now: { ...at(10).now, wallNs: at(50).now.wallNs } })
  assert.equal(skewed.signal('clock'), 'failed')
})

test('a closed engine denies, and says that it is closed', async () => {
  const engine = door()
  engine.close()
  engine.close()
  assert.equal(engine.decide(asking(), at(1)).reason, 'no_policy')
  assert.equal(engine.decideJson(JSON.stringify(asking()), at(1)).reason, 'no_policy')
  assert.throws(() => engine.enforce(asking(), at(1)), Denied)
  for (const tell of [() => engine.activate(DOOR), () => engine.observe('sensor', 'ok'), () => engine.advance(), () => engine.anchorClocks(), () => engine.drill({ drill: 'x', steps: [] })]) {
    assert.throws(tell, { code: 'closed' })
  }
  assert.deepEqual([engine.bundle(), engine.nextDeadline(), engine.pollEvent(), engine.signal('sensor')], [null, null, null, null])
  const disposed = door()
  disposed[Symbol.dispose]()
  assert.equal(disposed.decide(asking(), at(1)).reason, 'no_policy')
  const awaited = door()
  await awaited[Symbol.asyncDispose]()
  assert.equal(awaited.decide(asking(), at(1)).reason, 'no_policy')
})

test('strangers cannot fill the memory with labels or types', () => {
  const engine = Engine.open({ fallgate: 1, name: 'open', revision: 1, actions: { a: {} }, rules: [{ id: 'r', effect: 'allow' }] }, at(0))
  for (let i = 0; i < 5_000; i++) {
    const request = { subject: { type: `t${i}`, id: 'x', properties: { p: 1 } }, action: 'a', resource: { type: 'r', id: `${i}` } }
    assert.equal(engine.decide(request, at(1)).rule, 'r')
  }
})
