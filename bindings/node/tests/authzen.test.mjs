// The AuthZEN Authorization API through this face, on the pack of the certification fixture.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Engine } from '../index.mjs'

const now = { monotonicNs: 0n, wallNs: 1_767_225_600_000_000_000n }
const engine = Engine.open(fileURLToPath(new URL('../../../policies/authzen-certification', import.meta.url)), { now })

function ask(path, body) {
  const { status, body: text, reasons } = engine.authzen(path, typeof body === 'string' ? body : JSON.stringify(body), { now })
  return { status, body: JSON.parse(text), reasons }
}

function entities(subject, action, resource) {
  return { subject: { type: 'user', id: subject }, action: { name: action }, resource: { type: 'record', id: resource } }
}

test('an evaluation is answered', () => {
  for (const [subject, action, allowed] of [['alice', 'read', true], ['alice', 'write', true], ['bob', 'read', true], ['bob', 'write', false]]) {
    const { status, body, reasons } = ask('/access/v1/evaluation', entities(subject, action, 'record-1'))
    assert.deepEqual([status, body.decision, reasons], [200, allowed, [body.context.reason]])
  }
})

test('a batch ends where its semantic says', () => {
  const evaluations = ['write', 'read'].map((name) => ({ action: { name } }))
  const batch = { ...entities('bob', 'read', 'record-1'), evaluations, options: { evaluations_semantic: 'deny_on_first_deny' } }
  assert.deepEqual(ask('/access/v1/evaluations', batch).body.evaluations.map(({ decision }) => decision), [false])
})

test('a search finds those who may', () => {
  const { body } = ask('/access/v1/search/subject', { ...entities('', 'read', 'record-1'), subject: { type: 'user' } })
  assert.deepEqual(body.results.map(({ id }) => id), ['alice', 'bob'])
})

test('what is no request is a status, and what is no endpoint an error', () => {
  for (const body of ['', '{', '{}', 'null']) assert.equal(ask('/access/v1/evaluation', body).status, 400)
  assert.throws(() => engine.authzen('/access/v1/nothing', '{}', { now }), /no endpoint/)
  assert.throws(() => engine.authzen(5, '{}'), TypeError)
  assert.throws(() => engine.authzen('/access/v1/evaluation', {}), TypeError)
  assert.throws(() => engine.authzen('/access/v1/evaluation', '"\ud800"'), TypeError)
  const closed = Engine.open({ fallgate: 1, name: 'x', revision: 1 }, { now })
  closed.close()
  const answer = closed.authzen('/access/v1/evaluation', JSON.stringify(entities('alice', 'read', 'record-1')), { now })
  assert.deepEqual([JSON.parse(answer.body).decision, answer.reasons], [false, ['no_policy']])
})

test('the metadata name the endpoints of the address', () => {
  const metadata = Engine.authzenMetadata('https://pdp.example.com')
  assert.equal(metadata.access_evaluation_endpoint, 'https://pdp.example.com/access/v1/evaluation')
  assert.throws(() => Engine.authzenMetadata('pdp'), /address/)
})
