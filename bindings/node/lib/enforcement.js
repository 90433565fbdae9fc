'use strict'
// What the plugins of web servers share: from a server's request to an allow, or to the body of a refusal.

const { Decision } = require('./decision.js')
const { Denied } = require('./failures.js')

/** @typedef {import('./engine.js').Engine} Engine */
/** @typedef {import('./words.js').Request} Request */
/** @typedef {import('./decision.js').Obligation} Obligation */

/**
 * How a server's requests are protected; `Context` is what the server hands to its handlers.
 *
 * @template {readonly unknown[]} Context
 * @typedef {object} Protection
 * @property {(...context: Context) => Request | Promise<Request>} request What is asked of the engine. Whatever it
 *   throws, or rejects with, is a refusal.
 * @property {{ readonly [type: string]: (obligation: Obligation, decision: Decision, ...context: Context) => unknown }} [obligations]
 *   By type of obligation, what fulfils it. One without a handler, or whose handler throws or rejects, is a refusal.
 */

/**
 * Decides on a server's request. Whatever goes wrong on the way is a deny.
 *
 * @template {readonly unknown[]} Context
 * @param {Engine} engine
 * @param {Protection<Context>} protection
 * @param {Context} context
 * @returns {Promise<{ allowed: boolean, decision: Decision }>}
 */
async function settle(engine, protection, context) {
  try {
    /** @type {Record<string, import('./words.js').ObligationHandler>} */
    const obligations = Object.create(null)
    for (const [type, handler] of Object.entries(protection.obligations ?? {})) {
      obligations[type] = (obligation, decision) => handler(obligation, decision, ...context)
    }
    const decision = await engine.enforceAsync(await protection.request(...context), { obligations })
    return { allowed: decision instanceof Decision && decision.allowed === true, decision }
  } catch (error) {
    return { allowed: false, decision: error instanceof Denied ? error.decision : new Decision() }
  }
}

/**
 * Fails at once where a plugin is set up so that it could protect nothing.
 *
 * @param {Engine} engine
 * @param {{ request?: unknown }} protection
 */
function checked(engine, protection) {
  if (typeof engine?.enforceAsync !== 'function') throw new TypeError('`engine` must be an Engine')
  if (typeof protection?.request !== 'function') {
    throw new TypeError('`request` must be a function from the server\'s request to the one that is decided')
  }
}

/** The media type of a refusal's body. */
const PROBLEM = 'application/problem+json'

/**
 * The body of a refusal (RFC 9457). It names the decision, for whoever may read the log, and nothing of the policy.
 *
 * @param {Decision} decision
 */
function problem(decision) {
  return { type: 'about:blank', title: 'Forbidden', status: 403, instance: `urn:fallgate:decision:${decision.id}` }
}

exports.PROBLEM = PROBLEM
exports.checked = checked
exports.problem = problem
exports.settle = settle
