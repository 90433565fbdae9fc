// Every drill and case of the shipped packs, through the public face: the same decisions as in every other language.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'

import { Engine, FallgateError } from 'fallgate'

import { folder, policies } from './engines.mjs'

/** The corpus's bytes: of a file that `FALLGATE_CORPUS` names, or made here by the package's own command. */
function corpusBytes() {
  const { FALLGATE_CORPUS: file } = process.env
  if (file) return readFileSync(file)
  const command = [join(folder, 'bin', 'fallgate.js'), 'corpus', policies]
  const made = spawnSync(process.execPath, command, { maxBuffer: 2 ** 28 })
  assert.equal(made.status, 0, made.stderr.toString())
  return made.stdout
}

/** JSON whose integers beyond 2 ** 53 - 1 become bigints: a number would lose their last digits. */
function exactly(text) {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g, (found) => (found.startsWith('"') ? found : `{"$integer":"${found}"}`))
  return JSON.parse(marked, (_, value) => (value?.$integer === undefined ? value : BigInt(value.$integer)))
}

/** Compact JSON with sorted keys. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}

function clocksOf({ monotonic_ns, wall_ns }) {
  return { now: { monotonicNs: BigInt(monotonic_ns), wallNs: BigInt(wall_ns) } }
}

/** A decision in two calls, as the corpus has it. */
function answered({ allowed, decision, pending, seq }) {
  assert.equal(allowed, decision.decision)
  return pending === undefined ? { decision } : { decision, pending, seq: Number(seq) }
}

/** The methods that are named after operations, called with what an operation has. */
const METHODS = {
  enter_posture: (engine, { posture, ...rest }, timed) => engine.enterPosture(posture, { ...rest, ...timed }),
  leave_posture: (engine, { posture, ...rest }, timed) => engine.leavePosture(posture, { ...rest, ...timed }),
  acknowledge_posture: (engine, { posture, ...rest }, timed) => engine.acknowledgePosture(posture, { ...rest, ...timed }),
  quarantine: (engine, { what, ...rest }, timed) => ({ quarantined: engine.quarantine(what, { ...rest, ...timed }) }),
  lift_quarantine: (engine, what, timed) => engine.liftQuarantine(what, timed),
  propose: (engine, { proposal, ...rest }, timed) => ({ proposed: engine.propose(proposal, { ...rest, ...timed }) }),
  approve: (engine, { proposal, by, ...rest }, timed) => ({ approved: engine.approve(proposal, by, { ...rest, ...timed }) }),
  withdraw: (engine, { proposal, by, ...rest }, timed) => engine.withdraw(proposal, by, { ...rest, ...timed }),
  revoke_override: (engine, { override }, timed) => engine.revokeOverride(override, timed),
  set_flag: (engine, { flag, ...rest }, timed) => engine.setFlag(flag, { ...rest, ...timed }),
  clear_flag: (engine, { flag }, timed) => engine.clearFlag(flag, timed),
  export_state: (engine, _, timed) => ({ state: engine.exportState(timed) }),
  restore_state: (engine, { state, least_sequence: least }, timed) => {
    const leastSequence = least === undefined ? undefined : BigInt(least)
    const { sequence, epoch, instance, elapsedMs } = engine.restoreState(state, { leastSequence, ...timed })
    return { restored: { sequence: Number(sequence), epoch: Number(epoch), instance, elapsed_ms: elapsedMs } }
  },
  take_over: (engine, _, timed) => ({ epoch: Number(engine.takeOver(timed)) }),
  witness_epoch: (engine, { epoch, instance }, timed) => engine.witnessEpoch(BigInt(epoch), instance, timed),
  resign: (engine, _, timed) => engine.resign(timed),
  acquire: (engine, { signal, ...rest }, timed) => ({ permit: Number(engine.acquire(signal, { ...rest, ...timed })) }),
  report: (engine, { signal, permit, outcome, ...rest }, timed) => ({ report: engine.report(signal, BigInt(permit), outcome, { ...rest, ...timed }) }),
  retry: (engine, { signal, permit, outcome }, timed) => ({ retry_in_ms: engine.retry(signal, BigInt(permit), outcome, timed) }),
  first_seen: (engine, { signal, key, made_at: madeAt }, timed) => engine.firstSeen(signal, key, madeAt, timed),
  force_open: (engine, { signal }, timed) => engine.forceOpen(signal, timed),
  release: (engine, { signal }, timed) => engine.release(signal, timed),
  drain_audit: (engine, { max }, timed) => {
    const { lines, lastSeq } = engine.drainAudit({ max, ...timed })
    return { lines, last_seq: Number(lastSeq) }
  },
  acknowledge_audit: (engine, { seq }, timed) => engine.acknowledgeAudit(BigInt(seq), timed),
  checkpoint: (engine, _, timed) => {
    const { count, head } = engine.checkpoint(timed)
    return { count: Number(count), head }
  },
  stage: (engine, { bundle }, timed) => engine.stage(Buffer.from(bundle), timed),
  promote: (engine, _, timed) => engine.promote(timed),
  roll_back: (engine, { to }, timed) => engine.rollBack({ to, ...timed }),
  apply: (engine, { message }, timed) => engine.apply(message, timed),
  decide_pending: (engine, { request }, timed) => answered(engine.decidePending(request, timed)),
  confirm_decision: (engine, { pending }, timed) => answered(engine.confirmDecision(pending, timed)),
  label_decision: (engine, { decision, label }, timed) => engine.labelDecision(decision, label, timed),
  label_trigger: (engine, { trigger, label }, timed) => engine.labelTrigger(trigger, label, timed),
  report_attempts: (engine, { count }, timed) => engine.reportAttempts(count, timed),
  report_mitigation: (engine, { done }, timed) => engine.reportMitigation(done, timed),
  record_latency: (engine, { effect, nanos }, timed) => engine.recordLatency(effect, BigInt(nanos), timed),
  metrics: (engine, _, timed) => engine.metrics(timed),
  slis: (engine, _, timed) => engine.slis(timed),
  revoke: (engine, { type, id, ...rest }, timed) => engine.revoke({ type, id }, { ...rest, ...timed }),
}

/** Does an operation, by its method where there is one; gives the outcome, and why it was not done, as the corpus has them. */
function operated(engine, operation, timed) {
  const [[verb, given]] = Object.entries(operation)
  const method = METHODS[verb]
  try {
    // A time before which something is void is a text in an operation, and a bigint for the method.
    if (method === undefined || 'before' in given) return { outcome: engine.operate(operation, timed), because: null }
    return { outcome: method(engine, given, timed) ?? {}, because: null }
  } catch (error) {
    assert.ok(error instanceof FallgateError, error)
    return { outcome: null, because: error.code }
  }
}

test('every step of the corpus decides as the core does', () => {
  const bytes = corpusBytes()
  const corpus = exactly(bytes.toString())
  const decisions = createHash('sha256')
  let steps = 0
  let decided = 0
  for (const pack of corpus.packs) {
    for (const timeline of pack.timelines) {
      const { state_key: key, instance, audit_key: auditKey, audit_entries_max: auditEntriesMax, trust } = timeline.config
      const options = {
        stateKey: Buffer.from(key, 'hex'),
        auditKey: auditKey ? Buffer.from(auditKey, 'hex') : undefined,
        limits: { auditEntriesMax: auditEntriesMax ?? undefined },
        trust: trust ? Buffer.from(trust) : undefined,
      }
      let engine = new Engine({ ...options, instance })
      for (const operation of timeline.operations) {
        const where = `${pack.name}: ${timeline.name}, step ${steps}`
        const timed = clocksOf(operation.at)
        steps += 1
        if (operation.activate) engine.activate(Buffer.from(pack.bundle), timed)
        else if (operation.advance) engine.advance(timed)
        else if (operation.anchor_clocks) engine.anchorClocks(timed)
        else if (operation.restart) engine = new Engine({ ...options, instance: operation.restart.instance })
        else if (operation.observe) {
          const { signal, status, observed_at_ns: observedAt } = operation.observe
          engine.observe(signal, status, { ...timed, observedAt: observedAt === undefined ? undefined : BigInt(observedAt) })
        } else if (operation.operate) {
          const { operate, outcome, because } = operation
          assert.deepEqual(operated(engine, operate, timed), { outcome, because }, where)
        } else {
          assert.ok('decide' in operation, `${where}: an operation that this runner does not know: ${Object.keys(operation)}`)
          const { decide } = operation
          const decision = typeof decide === 'string' ? engine.decideJson(decide, timed) : engine.decide(decide, timed)
          const json = JSON.parse(JSON.stringify(decision))
          assert.deepEqual(json, operation.decision, where)
          decisions.update(`${canonical(json)}\n`)
          decided += 1
        }
      }
    }
  }
  assert.ok(decided > 100, `only ${decided} decisions`)
  const digest = createHash('sha256').update(bytes).digest('hex')
  const line = `steps ${steps} corpus ${digest} decisions ${decisions.digest('hex')}`
  console.log(line)
  if (process.env.FALLGATE_CORPUS_SUMMARY) writeFileSync(process.env.FALLGATE_CORPUS_SUMMARY, `${line}\n`)
})
