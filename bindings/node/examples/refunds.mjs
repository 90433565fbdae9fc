// A desk that gives refunds, in an hour when its dependencies go silent.
//
//   node examples/refunds.mjs ../../policies/payment-gateway
import { Engine } from 'fallgate'

const SECOND = 1_000_000_000n
const START = Engine.now()
/** @param {bigint} seconds */
const after = (seconds) => ({
  now: { monotonicNs: START.monotonicNs + seconds * SECOND, wallNs: START.wallNs + seconds * SECOND },
})

/** @type {import('fallgate').Request} */
const refund = {
  subject: {
    type: 'user',
    id: 'alice',
    properties: { roles: ['agent'], merchants: ['m-1'], refund_limit: 500, mfa_at: new Date(), suspended: false },
  },
  action: { name: 'payment:refund', properties: { amount: 120 } },
  resource: {
    type: 'payment',
    id: 'p-17',
    properties: { merchant: 'm-1', amount: 300, refunded: 0, currency: 'EUR', status: 'captured', disputed: false },
  },
  context: { ip: '10.1.2.3' },
}

const engine = Engine.open(process.argv[2] ?? 'policies/payment-gateway', after(0n))
for (const signal of ['idp', 'ledger-a', 'ledger-b']) engine.observe(signal, 'ok', after(0n))
for (const seconds of [1n, 4n, 20n]) {
  const { allowed, reason, degraded } = engine.decide(refund, after(seconds))
  console.log(`after ${seconds} s: ${allowed ? 'allowed' : 'denied'}, ${reason}${degraded.length ? ` (${degraded.join(', ')})` : ''}`)
}
engine.close()
