// The public types, as a strict user meets them. A line that must not compile says so; if it compiles, the check fails.
import express from 'express'
import Fastify from 'fastify'
import { Decision, Denied, Engine, FallgateError } from 'fallgate'
import type { Approved, Counters, DrillReport, Event, Explanation, Finding, Now, Obligation, Observed, Operation, Overview, Quarry, Request, Restored, Status, Value } from 'fallgate'
import { authorize } from 'fallgate/express'
import { authorize as hook, fallgate } from 'fallgate/fastify'

const request: Request = {
  subject: { type: 'user', id: 'ann', properties: { level: 5, big: 5n, since: new Date(), roles: ['a'], more: { deep: [null, true] } } },
  action: 'door:open',
  resource: { type: 'door', id: 'd-1' },
}
const now: Now = { monotonicNs: 1n, wallNs: 1n }

const engine: Engine = Engine.open('pack', { now, key: new Uint8Array(16), limits: { idBytesMax: 10 }, clockSkewMaxMs: 5 })
engine.activate(Buffer.alloc(0), { now })
engine.activate({ fallgate: 1 })
const observed: Observed = engine.observe('idp', 'ok', { observedAt: 1n, now })
const decision: Decision = engine.decide(request, { now })
const allowed: boolean = decision.allowed
const messages: readonly string[] = decision.messages
const rule: string | null = decision.rule
const obligations: readonly Obligation[] = decision.obligations
const response: { decision: boolean } = decision.toJSON()
const many: Decision[] = engine.decideMany([request])
const later: Promise<Decision[]> = engine.decideManyAsync(new Set([request]))
const text: Decision = engine.decideJson('{}', { now })
const bytes: Decision = engine.decideJson(new Uint8Array(2))
const enforced: Decision = engine.enforce(request, { obligations: { notify: (obligation, of) => [obligation.id, of.reason] } })
const awaited: Promise<Decision> = engine.enforceAsync(request)
const explained: Explanation = engine.explain(request)
const report: DrillReport = engine.drill('drill.yaml')
const event: Readonly<Event> | null = engine.pollEvent()
const events: Event[] = [...engine.events()]
const counters: Readonly<Counters> = engine.counters()
const status: Status | null = engine.signal('idp')
const due: bigint | null = engine.nextDeadline()
const bundle: Buffer | null = engine.bundleBytes()
const operation: Operation = { enter_posture: { posture: 'shut' } }
const outcome: Readonly<Record<string, unknown>> = engine.operate(operation, { now })
engine.operate('{}')
engine.operate(Buffer.alloc(0))
engine.enterPosture('shut', { scope: 'tenant:acme', now })
engine.leavePosture('shut')
engine.acknowledgePosture('shut', { now })
const posture: string | null = engine.posture('tenant:acme')
const under: string = decision.posture
const quarry: Quarry = engine.quarantine({ subject: { type: 'user' } }, { reason: 'theft', for: '5m', absolute: true, now })
engine.liftQuarantine('everything')
engine.revoke({ type: 'user', id: 'ann' }, { before: 1n, now })
const proposed: string = engine.propose({ fallgate: 'proposal/1' }, { signature: new Uint8Array(64), now })
const approved: Readonly<Approved> = engine.approve(proposed, 'sre-1', { code: '123456' })
engine.withdraw(proposed, 'sre-1', { signature: 'text' })
engine.revokeOverride(proposed)
engine.setFlag('emergency', { for: '2h' })
engine.clearFlag('emergency')
const overview: Readonly<Overview> = engine.overview({ now })
const waiting: readonly string[] = overview.overrides.map((granted) => granted.override)
const override: string | null = decision.override
const standby: Engine = new Engine({ stateKey: new Uint8Array(32), instance: 'b' })
const restored: Readonly<Restored> = standby.restoreState(engine.exportState(), { leastSequence: 1n })
const epoch: bigint = engine.takeOver()
standby.witnessEpoch(epoch, 'a')
engine.resign()
const value: Value = { list: [1, 2n, 'x'] }
const clocks: Readonly<Now> = Engine.now()
{
  using scoped = Engine.open('pack')
  await using other = Engine.open('pack')
  scoped.close()
  other.advance({ now })
}
try {
  engine.anchorClocks()
} catch (error) {
  if (error instanceof Denied) console.log(error.decision.reason)
  if (error instanceof FallgateError) {
    const findings: readonly Finding[] = error.findings
    console.log(error.code, findings[0]?.places[0]?.line)
  }
}

// @ts-expect-error a decision does not change
decision.allowed = true
// @ts-expect-error an obligation cannot be added
decision.obligations.push(1)
// @ts-expect-error no such status
engine.observe('idp', 'up')
// @ts-expect-error clocks are bigints
engine.decide(request, { now: { monotonicNs: 1, wallNs: 1 } })
// @ts-expect-error a request has a resource
engine.decide({ subject: { type: 'user', id: 'ann' }, action: 'x' })
// @ts-expect-error a Map is no attribute
engine.decide({ ...request, context: { map: new Map() } })
// @ts-expect-error no such limit
new Engine({ limits: { nonsense: 1 } })
// @ts-expect-error no such option: it would mean everywhere
engine.leavePosture('shut', { scop: 'tenant:acme' })
// @ts-expect-error not what a quarantine selects
engine.quarantine({ user: 'ann' })
// @ts-expect-error a time is a bigint
engine.revoke({ type: 'user', id: 'ann' }, { before: 5 })
// @ts-expect-error an epoch is a bigint
engine.witnessEpoch(1, 'a')
// @ts-expect-error a batch is a promise
const unawaited: Decision[] = engine.decideManyAsync([request])

const app = express()
app.get(
  '/doors/:id',
  authorize(engine, {
    request: (req: express.Request) => ({ ...request, resource: { type: 'door', id: String(req.params.id) } }),
    obligations: { notify: async (obligation, of, req, res) => res.setHeader(obligation.id, of.id) },
  }),
)
// @ts-expect-error a plugin needs to know what is asked
authorize(engine, {})

const server = Fastify()
await server.register(fallgate, { engine, request: () => request })
server.get('/doors/:id', { preHandler: hook(engine, { request: async () => request }) }, async () => 'open')

console.log(observed, allowed, messages, rule, obligations, response, many, later, text, bytes, enforced, awaited, explained, report)
console.log(event, events, counters, status, due, bundle, value, clocks, unawaited, outcome, posture, under, quarry)
console.log(approved, waiting, override, restored)
