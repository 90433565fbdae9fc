// What operators do to an engine: the methods, the operation behind each, and what is refused.
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'

import { Engine, FallgateError } from 'fallgate'

import { at, folder } from './engines.mjs'

const DESK = {
  fallgate: 1,
  name: 'desk',
  revision: 1,
  schema: { resource: { file: { tenant: 'string' } } },
  scopes: { tenant: 'resource.tenant' },
  actions: { 'file:read': { class: 'read', cache: { allow: '1m', deny: '1m' } }, 'file:write': {} },
  postures: [
    { name: 'read-only', rank: 1, permits: { classes: ['read'] }, leave: { dwell: '10s' } },
    { name: 'shut', rank: 9, permits: 'none', leave: {} },
  ],
  rules: [{ id: 'all', effect: 'allow' }],
}

const desk = (options) => Engine.open(DESK, { ...at(0), ...options })

function asking(action = 'file:read', tenant = 'acme', id = 'ann') {
  return { subject: { type: 'user', id }, action, resource: { type: 'file', id: 'f-1', properties: { tenant } } }
}

/** Asserts that a call is refused with this code, as an error of the package. */
function refuses(call, code, message = /^/) {
  assert.throws(call, (error) => {
    assert.ok(error instanceof FallgateError, error)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.ok(error.message.length < 600, 'a message is short, whatever was passed in')
    return true
  })
}

test('a posture is entered, caps what is allowed, and is left when its pack lets it', () => {
  const engine = desk()
  assert.equal(engine.posture(), 'normal')
  assert.equal(engine.decide(asking('file:write'), at(1)).posture, 'normal')
  assert.equal(engine.enterPosture('read-only', at(2)), undefined)
  const denied = engine.decide(asking('file:write'), at(3))
  assert.deepEqual([denied.reason, denied.posture, engine.posture()], ['posture', 'read-only', 'read-only'])
  assert.equal(engine.decide(asking('file:read'), at(3)).reason, 'allowed_by_rule')
  refuses(() => engine.leavePosture('read-only', at(10_001)), 'dwelling')
  engine.leavePosture('read-only', at(10_002))
  assert.equal(engine.decide(asking('file:write'), at(10_003)).reason, 'allowed_by_rule')
  refuses(() => engine.leavePosture('read-only', at(10_004)), 'not_entered')
  refuses(() => engine.enterPosture('night', at(10_004)), 'unknown_posture')
})

test('a posture of one scope is that of its requests alone', () => {
  const engine = desk()
  engine.enterPosture('shut', { scope: 'tenant:acme', ...at(1) })
  assert.deepEqual([engine.posture(), engine.posture('tenant:acme'), engine.posture('tenant:other')], ['normal', 'shut', 'normal'])
  assert.equal(engine.decide(asking('file:read', 'acme'), at(2)).reason, 'posture')
  assert.equal(engine.decide(asking('file:read', 'other'), at(2)).reason, 'allowed_by_rule')
  engine.acknowledgePosture('shut', { scope: 'tenant:acme', ...at(3) })
  refuses(() => engine.acknowledgePosture('shut', at(3)), 'not_entered')
  refuses(() => engine.enterPosture('shut', { scope: 'region:eu', ...at(3) }), 'unknown_scope')
  engine.leavePosture('shut', { scope: 'tenant:acme', ...at(4) })
  assert.equal(engine.decide(asking('file:read', 'acme'), at(5)).reason, 'allowed_by_rule')
})

test('decisions that differ by their posture alone are told apart', () => {
  const engine = desk()
  const seen = []
  for (const [ms, posture] of [[1, null], [2, 'read-only'], [3, null]]) {
    if (posture !== null) engine.enterPosture(posture, at(ms))
    seen.push(engine.decide(asking(), at(ms)).posture)
  }
  assert.deepEqual(seen, ['normal', 'read-only', 'read-only'])
})

test('what is quarantined is denied, for a time or until it is lifted', () => {
  const engine = desk()
  const ann = { subject: { type: 'user', id: 'ann' } }
  assert.deepEqual(engine.quarantine(ann, { reason: 'a stolen laptop', for: '5s', ...at(1) }), ann)
  assert.equal(engine.decide(asking(), at(2)).reason, 'quarantined')
  assert.equal(engine.decide(asking('file:read', 'acme', 'bob'), at(2)).reason, 'allowed_by_rule')
  assert.equal(engine.decide(asking(), at(5_001)).reason, 'allowed_by_rule')
  assert.equal(engine.quarantine('everything', { absolute: true, ...at(5_002) }), 'everything')
  assert.equal(engine.decide(asking(), at(5_003)).reason, 'quarantined')
  engine.liftQuarantine('everything', at(5_004))
  assert.equal(engine.decide(asking(), at(5_005)).reason, 'allowed_by_rule')
  refuses(() => engine.liftQuarantine('everything', at(5_006)), 'not_quarantined')
  assert.deepEqual(engine.quarantine({ scope: 'tenant:acme' }, at(5_007)), { scope: 'tenant:acme' })
  assert.deepEqual(engine.quarantine({ resource: { type: 'file' } }, at(5_007)), { resource: { type: 'file' } })
  refuses(() => engine.quarantine({ scope: 'region:eu' }, at(5_008)), 'unknown_scope')
  refuses(() => engine.quarantine(ann, { for: '0s', ...at(5_008) }), 'ended')
})

test('what was decided for a subject is void once it is revoked', () => {
  const engine = desk()
  engine.decide(asking(), at(1))
  assert.equal(engine.decide(asking(), at(2)).cached, true)
  // A nanosecond after a millisecond, which it is rounded up to.
  engine.revoke({ type: 'user', id: 'ann' }, { before: at(0).now.monotonicNs + 1n, ...at(3) })
  assert.equal(engine.decide(asking(), at(3)).cached, false)
  assert.equal(engine.decide(asking(), at(4)).cached, true)
  assert.equal(engine.revoke({ type: 'user', id: 'ann' }, at(5)), undefined)
  assert.equal(engine.decide(asking(), at(6)).cached, false)
})

test('events say what operators did', () => {
  const engine = desk()
  engine.enterPosture('shut', { scope: 'tenant:acme', ...at(1) })
  refuses(() => engine.leavePosture('read-only', at(2)), 'not_entered')
  engine.quarantine({ subject: { type: 'user', id: 'ann' } }, { reason: 'a stolen laptop', ...at(3) })
  const told = [...engine.events()].map(({ at: _, ...event }) => event).filter(({ code }) => !code.startsWith('bundle_'))
  assert.deepEqual(told, [
    { code: 'posture_entered', id: 3, severity: 'ticket', count: 1, posture: 'shut', scope: 'tenant:acme', cause: 'operator', sinceMs: 2 },
    { code: 'posture_kept', id: 4, severity: 'info', count: 1, posture: 'read-only', cause: 'not_entered' },
    { code: 'quarantined', id: 5, severity: 'ticket', count: 1, selector: 'subject `user` `ann`', reason: 'a stolen laptop' },
  ])
})

test('an operation is an object, its text or its bytes', () => {
  const operation = { quarantine: { what: { subject: { type: 'user', id: 'ann' } }, for: '1m' } }
  const text = JSON.stringify(operation)
  const shared = new Uint8Array(new SharedArrayBuffer(text.length))
  shared.set(Buffer.from(text))
  for (const form of [operation, text, Buffer.from(text), shared]) {
    const engine = desk()
    const outcome = engine.operate(form, at(1))
    assert.deepEqual(outcome, { quarantined: { subject: { type: 'user', id: 'ann' } } })
    assert.ok(Object.isFrozen(outcome) && Object.isFrozen(outcome.quarantined.subject))
    assert.equal(engine.decide(asking(), at(2)).reason, 'quarantined')
  }
  assert.deepEqual(desk().operate({ enter_posture: { posture: 'shut' } }, at(1)), {})
})

test('what is no operation does nothing', () => {
  const engine = desk()
  const knot = { posture: 'shut' }
  knot.scope = knot
  const none = [
    {},
    [],
    new Map([['enter_posture', { posture: 'shut' }]]),
    new (class Operation { enter_posture = { posture: 'shut' } })(),
    { open_everything: {} },
    { enter_posture: {} },
    { enter_posture: 'shut' },
    { enter_posture: ['shut'] },
    { enter_posture: { posture: 5 } },
    { enter_posture: { posture: null } },
    { enter_posture: { posture: 'shut', scope: undefined } },
    { enter_posture: { posture: 'shut', scop: 'tenant:acme' } },
    { enter_posture: { posture: 'shut' }, quarantine: { what: 'everything' } },
    { enter_posture: { posture: '\ud800' } },
    { '\ud800': {} },
    { enter_posture: knot },
    { enter_posture: { posture: () => 'shut' } },
    { enter_posture: { get posture() { throw new Error('secret') } } },
    { quarantine: { what: 'everything', for: 5 } },
    { quarantine: { what: 'everything', for: '-5s' } },
    { quarantine: { what: {} } },
    { quarantine: { what: { subject: { type: 'user' }, scope: 'tenant:acme' } } },
    { quarantine: { what: 'everything', absolute: 'no' } },
    '',
    'null',
    '{"enter_posture": {"posture": "shut"}} x',
    '{"enter_posture": {"posture": "shut", "posture": "shut"}}',
    '{"enter_posture": {"posture": "\ud800"}}',
    Buffer.from('{"enter_posture": {"posture": "\xff"}}', 'latin1'),
    { enter_posture: { posture: 'shut', scope: 'x'.repeat(2 ** 21) } },
    `{"enter_posture": {"posture": "shut", "scope": "${'x'.repeat(2 ** 21)}"}}`,
  ]
  for (const operation of none) refuses(() => engine.operate(operation, at(1)), 'malformed_operation', /^(?!.*secret)/)
  for (const operation of [undefined, null, 5, 5n, true, Symbol('x'), () => {}]) {
    assert.throws(() => engine.operate(operation, at(1)), TypeError)
  }
  refuses(() => engine.operate({ enter_posture: { posture: 'shut', scope: `tenant:${'x'.repeat(1_000_000)}` } }, at(1)), 'scope_too_long')
  assert.throws(() => engine.operate({ enter_posture: { posture: 'shut' } }, { now: 5 }), TypeError)
  assert.deepEqual([engine.posture(), engine.decide(asking(), at(2)).reason], ['normal', 'allowed_by_rule'])
})

test('a method takes nothing that its operation does not have', () => {
  const engine = desk()
  engine.enterPosture('read-only', { scope: 'tenant:acme', ...at(1) })
  // What is mistyped would mean everywhere, if it were left out.
  refuses(() => engine.leavePosture('read-only', { scop: 'tenant:acme', ...at(20_000) }), 'malformed_operation', /scop/)
  refuses(() => engine.quarantine('everything', { until: '5s', ...at(20_000) }), 'malformed_operation', /until/)
  refuses(() => engine.revoke({ type: 'user', id: 'ann', also: 1 }, at(20_000)), 'malformed_operation', /also/)
  refuses(() => engine.enterPosture(undefined, at(20_000)), 'malformed_operation')
  refuses(() => engine.liftQuarantine(undefined, at(20_000)), 'malformed_operation')
  // Nor do options say what the arguments say.
  engine.enterPosture('shut', { posture: 'read-only', scope: undefined, ...at(20_000) })
  assert.equal(engine.posture(), 'shut')
  for (const before of [5, '5s', null]) assert.throws(() => engine.revoke({ type: 'user', id: 'ann' }, { before }), TypeError)
  refuses(() => engine.revoke({ type: 'user', id: 'ann' }, { before: 2n ** 70n, ...at(20_000) }), 'malformed_operation')
  for (const scope of [5, null, {}]) assert.throws(() => engine.posture(scope), TypeError)
  assert.equal(engine.posture('x'.repeat(2 ** 21)), 'shut')
})

test('what an operation reads it reads once', () => {
  const engine = desk()
  const reads = []
  const fickle = { get posture() { return reads.push('posture') === 1 ? 'read-only' : 'shut' } }
  engine.operate({ enter_posture: fickle }, at(1))
  assert.deepEqual([engine.posture(), reads], ['read-only', ['posture']])
  // A getter that operates in between: the inner one is done first, and each is done whole.
  const meddling = { get posture() { return engine.enterPosture('read-only', { scope: 'tenant:acme', ...at(2) }), 'shut' } }
  engine.operate({ enter_posture: meddling }, at(2))
  assert.deepEqual([engine.posture(), engine.posture('tenant:other')], ['shut', 'shut'])
  const closing = { get posture() { return engine.close(), 'shut' } }
  refuses(() => engine.operate({ enter_posture: closing }, at(3)), 'closed')
})

test('a closed engine is operated no more', () => {
  const engine = desk()
  engine.close()
  for (const operate of [
    () => engine.operate({ enter_posture: { posture: 'shut' } }),
    () => engine.operate({ '\ud800': 1 }),
    () => engine.enterPosture('shut'),
    () => engine.leavePosture('shut'),
    () => engine.acknowledgePosture('shut'),
    () => engine.quarantine('everything'),
    () => engine.liftQuarantine('everything'),
    () => engine.revoke({ type: 'user', id: 'ann' }),
  ]) {
    refuses(operate, 'closed')
  }
  assert.equal(engine.posture(), null)
  refuses(() => new Engine().enterPosture('shut'), 'no_policy')
})

test('every limit of the core can be set', () => {
  // The header of C has them all: a test there holds it equal to the core.
  const header = readFileSync(join(folder, '..', 'c', 'include', 'fallgate.h'), 'utf8')
  const [, fields] = header.match(/typedef struct fallgate_limits \{(.*?)\} fallgate_limits;/s)
  const names = [...fields.matchAll(/uint64_t (\w+);/g)].map(([, name]) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()))
  assert.ok(names.length >= 34 && names.includes('quarantinesMax'), names.join())
  for (const name of names) assert.doesNotThrow(() => new Engine({ limits: { [name]: 1 } }), name)
})

/** A key whose seed is one byte, 32 times. */
function keyOf(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

const publicText = (seed) => `ed25519:${createPublicKey(keyOf(seed)).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`

const GUARDED = {
  ...DESK,
  approvers: { sre: { one: publicText(1), two: publicText(2), three: publicText(3) } },
  overrides: { need: 2, from: 'sre', max_window: '1h', max_uses: 5 },
  flags: { emergency: { posture: 'read-only', owner: 'the platform team', max_age: '24h' } },
}

/** A statement of an approver on a document whose members are in order: its JSON is canonical as it is. */
function statement(seed, purpose, document) {
  const type = `application/vnd.fallgate.${purpose}+json`
  const payload = Buffer.from(JSON.stringify(document))
  return sign(null, Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]), keyOf(seed))
}

const instant = (ms) => new Date(Number(at(ms).now.wallNs / 1_000_000n)).toISOString()

/** A proposal, its members in order. */
function proposalOf(nonce, operation) {
  return { bundle: 'desk', by: 'one', expires_at: instant(600_000), fallgate: 'proposal/1', issued_at: instant(0), nonce, operation, reason: 'somebody waits' }
}

test('an override takes its approvals, allows what it covers, and says so', () => {
  const engine = Engine.open(GUARDED, at(0))
  engine.enterPosture('shut', at(1))
  assert.equal(engine.decide(asking(), at(2)).reason, 'posture')
  const document = proposalOf('1', { grant_override: { actions: ['file:read'], for: '10m', resources: ['file:f-1'], subjects: ['user:ann'], uses: 2 } })
  refuses(() => engine.propose(document, at(3)), 'proof_missing')
  refuses(() => engine.propose(document, { signature: statement(2, 'proposal', document), ...at(3) }), 'bad_signature')
  refuses(() => engine.propose(document, { signature: statement(1, 'approval', document), ...at(3) }), 'bad_signature')
  refuses(() => engine.propose({ ...document, by: 'nobody' }, { signature: 'x', ...at(3) }), 'unknown_approver')
  const id = engine.propose(document, { signature: statement(1, 'proposal', document), ...at(3) })
  assert.match(id, /^[0-9a-f]{64}$/)
  assert.deepEqual(engine.overview(at(3)).proposals.map(({ proposal, by, approvals, need, from }) => [proposal, by, approvals, need, from]), [[id, 'one', 0, 2, 'sre']])
  refuses(() => engine.approve(id, 'one', { signature: statement(1, 'approval', document), ...at(4) }), 'own_proposal')
  const [second, third] = [2, 3].map((seed) => statement(seed, 'approval', document))
  assert.deepEqual(engine.approve(id, 'two', { signature: second.toString('base64'), ...at(4) }), { approvals: 1, need: 2, waits_for: 'not_approved' })
  refuses(() => engine.approve(id, 'two', { signature: second, ...at(4) }), 'already_approved')
  assert.deepEqual(engine.approve(id, 'three', { signature: third, ...at(5) }), { approvals: 2, need: 2, waits_for: null })
  assert.deepEqual(engine.overview(at(5)).overrides, [{ override: id, uses_left: 2, expires_in_ms: 600_000 }])
  const allowed = engine.decide(asking(), at(6))
  assert.deepEqual([allowed.allowed, allowed.reason, allowed.override, allowed.posture], [true, 'allowed_by_override', id, 'shut'])
  assert.equal(JSON.parse(JSON.stringify(allowed)).context.override, id)
  assert.equal(engine.decide(asking('file:write'), at(6)).override, null)
  engine.revokeOverride(id, at(7))
  assert.equal(engine.decide(asking(), at(8)).reason, 'posture')
  refuses(() => engine.revokeOverride(id, at(9)), 'unknown_override')
})

test('a proposal is withdrawn, and what is signed for one thing is not good for another', () => {
  const engine = Engine.open(GUARDED, at(0))
  const document = proposalOf('2', { grant_override: { actions: ['file:read'], for: '10m', resources: ['file:f-1'], subjects: ['user:ann'], uses: 2 } })
  const id = engine.propose(document, { signature: statement(1, 'proposal', document), ...at(1) })
  refuses(() => engine.withdraw(id, 'two', { signature: statement(2, 'approval', document), ...at(2) }), 'bad_signature')
  engine.withdraw(id, 'two', { signature: statement(2, 'withdrawal', document), ...at(2) })
  refuses(() => engine.approve(id, 'two', { signature: statement(2, 'approval', document), ...at(3) }), 'unknown_proposal')
  refuses(() => engine.propose(document, { signature: statement(1, 'proposal', document), ...at(3) }), 'already_proposed')
  refuses(() => engine.propose({ ...document, more: 1 }, { signature: 'x', ...at(3) }), 'malformed_proposal')
  refuses(() => engine.propose({ ...document, reason: '\ud800' }, { signature: 'x', ...at(3) }), 'malformed_operation')
})

test('a flag holds its posture until it is cleared', () => {
  const engine = Engine.open(GUARDED, at(0))
  engine.setFlag('emergency', { for: '1h', ...at(1) })
  assert.equal(engine.posture(), 'read-only')
  refuses(() => engine.leavePosture('read-only', at(20_000)), 'flag_set')
  const flag = { flag: 'emergency', posture: 'read-only', owner: 'the platform team', expires_in_ms: 3_580_001, expired: false }
  assert.deepEqual(engine.overview(at(20_000)).flags, [flag])
  engine.clearFlag('emergency', at(20_001))
  engine.leavePosture('read-only', at(20_002))
  refuses(() => engine.clearFlag('emergency', at(20_003)), 'not_set')
  refuses(() => engine.setFlag('nonsense', at(20_003)), 'unknown_flag')
  refuses(() => engine.setFlag('emergency', { for: '25h', ...at(20_003) }), 'age_too_long')
  assert.deepEqual(engine.overview(at(20_004)), { posture: 'normal', scopes: {}, proposals: [], overrides: [], flags: [], guards: [], feeds: [], rollout: null, former_bundles: [] })
  engine.close()
  assert.equal(engine.overview(at(20_005)).posture, null)
})

const KEY = Buffer.alloc(32, 7)

test('what is exported is restored by another engine, or the strictest posture is in force', () => {
  const first = desk({ stateKey: KEY, instance: 'a' })
  first.enterPosture('read-only', at(1))
  first.quarantine({ subject: { type: 'user', id: 'ann' } }, at(2))
  const state = first.exportState(at(3))
  assert.equal(typeof state, 'string')
  const second = desk({ stateKey: KEY, instance: 'b' })
  const { sequence, epoch, instance } = second.restoreState(state, at(4))
  assert.deepEqual([typeof sequence, epoch, instance], ['bigint', 0n, 'a'])
  assert.deepEqual([second.posture(), second.decide(asking(), at(5)).reason], ['read-only', 'quarantined'])
  const third = desk({ stateKey: KEY })
  assert.equal(third.restoreState(Buffer.from(state), { leastSequence: sequence, ...at(4) }).sequence, sequence)
  for (const [wrong, code] of [['', 'missing'], [state.replace('ann', 'bob'), 'not_authentic'], ['x', 'malformed'], ['\ud800', 'malformed'], [Buffer.from([0xff]), 'malformed']]) {
    const engine = desk({ stateKey: KEY })
    assert.throws(() => engine.restoreState(wrong, at(4)), { name: 'FallgateError', code: `state_${code}` })
    assert.equal(engine.posture(), 'shut', code)
  }
  refuses(() => desk({ stateKey: KEY }).restoreState(state, { leastSequence: sequence + 1n, ...at(4) }), 'state_older')
  assert.throws(() => second.restoreState(state, { leastSequence: 2 }), TypeError)
  refuses(() => desk().exportState(at(1)), 'no_state_key')
  for (const options of [{ stateKey: Buffer.alloc(31) }, { stateKey: Buffer.alloc(32) }, { stateKey: 'x' }, { instance: 5 }, { instance: '\ud800' }, { instance: 'x'.repeat(64) }]) {
    assert.throws(() => new Engine(options), TypeError)
  }
})

test('who takes over says so by an epoch, and two that did are found out', () => {
  const engine = desk({ instance: 'a' })
  const epoch = engine.takeOver(at(1))
  assert.equal(epoch, 1n)
  engine.witnessEpoch(epoch, 'b', at(2))
  assert.equal(engine.posture(), 'shut')
  engine.witnessEpoch(100n, 'b', at(3))
  assert.equal(engine.takeOver(at(4)), 101n)
  engine.resign(at(5))
  refuses(() => engine.resign(at(6)), 'not_active')
  // More digits than a number holds arrive whole: nobody can be above the last of them.
  engine.witnessEpoch(2n ** 64n - 1n, 'b', at(6))
  refuses(() => engine.takeOver(at(6)), 'epoch_exhausted')
  assert.throws(() => engine.witnessEpoch(5, 'b', at(6)), TypeError)
  refuses(() => engine.witnessEpoch(-1n, 'b', at(6)), 'malformed_operation')
  refuses(() => desk().takeOver(at(1)), 'no_instance')
})

test('guards are asked before a call, and told after it', () => {
  const signals = {
    gateway: { breaker: { window: 2, failure_rate: 0.5, open_for: '1s', half_open_probes: 1 } },
    quota: { limiter: { calls: 1, per: '1s', burst: 1, keys: 2 } },
    tries: { retry: { transient: ['timeout'], first: '100ms', longest: '1s', retries: 1, saved: 3 } },
    once: { replay_guard: { window: '5m', keys: 2, skew: '1s' } },
  }
  const engine = Engine.open({ ...DESK, signals }, at(0))
  for (const ms of [1, 2]) assert.equal(engine.report('gateway', engine.acquire('gateway', at(ms)), 'failure', { took: '5ms', ...at(ms) }), 'taken')
  refuses(() => engine.acquire('gateway', at(3)), 'open')
  const probe = engine.acquire('gateway', at(1_002))
  assert.equal(typeof probe, 'bigint')
  refuses(() => engine.acquire('gateway', at(1_002)), 'probing')
  assert.deepEqual([1, 2].map((ms) => engine.report('gateway', probe, 'success', at(1_002 + ms))), ['taken', 'ignored'])
  assert.equal(engine.signal('gateway'), 'ok')
  engine.forceOpen('gateway', at(1_010))
  refuses(() => engine.acquire('gateway', at(1_011)), 'forced_open')
  engine.release('gateway', at(1_012))
  assert.ok(engine.acquire('gateway', at(1_013)) > probe)
  engine.acquire('quota', { key: 'ann', ...at(2_000) })
  refuses(() => engine.acquire('quota', { key: 'ann', ...at(2_001) }), 'used_up')
  const call = engine.acquire('tries', at(2_002))
  const wait = engine.retry('tries', call, 'timeout', at(2_002))
  assert.ok(Number.isInteger(wait) && wait >= 0 && wait <= 100, String(wait))
  refuses(() => engine.retry('tries', call, 'timeout', at(2_003)), 'exhausted')
  engine.firstSeen('once', 'order 5', new Date(Number(at(2_000).now.wallNs / 1_000_000n)), at(2_004))
  refuses(() => engine.firstSeen('once', 'order 5', instant(2_000), at(2_005)), 'duplicate')
  refuses(() => engine.firstSeen('once', 'order 6', 'yesterday', at(2_005)), 'malformed_operation')
  refuses(() => engine.acquire('nobody', at(2_006)), 'unknown_signal')
  for (const permit of [1, '1', undefined]) {
    assert.throws(() => engine.report('gateway', permit, 'success'), TypeError)
    assert.throws(() => engine.retry('tries', permit, 'timeout'), TypeError)
  }
  refuses(() => engine.report('gateway', 1n, 'splendid', at(2_006)), 'malformed_operation')
  assert.deepEqual(engine.overview(at(2_006)).guards.map(({ signal, kind }) => [signal, kind]).sort(), [
    ['gateway', 'breaker'],
    ['once', 'replay_guard'],
    ['quota', 'limiter'],
    ['tries', 'retry'],
  ])
})

test('what a condition selects is quarantined', () => {
  const engine = desk()
  const evil = { when: "subject.id.startsWith('a')" }
  assert.deepEqual(engine.quarantine(evil, at(1)), evil)
  assert.deepEqual(['ann', 'bob'].map((id) => engine.decide(asking('file:read', 'acme', id), at(2)).reason), ['quarantined', 'allowed_by_rule'])
  engine.liftQuarantine(evil, at(3))
  assert.equal(engine.decide(asking(), at(4)).reason, 'allowed_by_rule')
  assert.throws(() => engine.quarantine({ when: 'subject.id ==' }, at(5)), FallgateError)
})

test('a state that cannot be read puts the strictest posture in force, and nothing else does', () => {
  const long = 'x'.repeat(33 << 20)
  for (const operation of [
    { restore_state: { state: long } },
    { restore_state: { state: '\ud800' } },
    { restore_state: { state: NaN } },
    JSON.stringify({ restore_state: { state: long } }),
    Buffer.from(JSON.stringify({ restore_state: { state: long } })),
  ]) {
    const engine = desk()
    assert.throws(() => engine.operate(operation, at(1)))
    assert.equal(engine.posture(), 'shut')
  }
  const engine = desk()
  assert.throws(() => engine.restoreState(long, at(1)))
  assert.equal(engine.posture(), 'shut')
  const other = desk()
  assert.throws(() => other.operate({ enter_posture: { posture: long } }, at(1)))
  assert.equal(other.posture(), 'normal')
})
