'use strict'
// What goes wrong outside of a decision: errors with the core's stable codes.

/**
 * One thing that is wrong with a policy, and where.
 *
 * @typedef {object} Finding
 * @property {string} severity `error` or `warning`.
 * @property {string} code The stable code.
 * @property {string} message What is wrong: one line.
 * @property {string | null} help How to repair it.
 * @property {string | null} pointer Where in the pack's document: a JSON Pointer.
 * @property {readonly Place[]} places Where in the pack's files.
 */

/**
 * A place in a file of a pack. Lines and columns count from one.
 *
 * @typedef {object} Place
 * @property {string} file
 * @property {number} line
 * @property {number} column
 * @property {number} end_line
 * @property {number} end_column
 * @property {string | null} label What is to be seen there.
 */

/** An error of this package. A decision is never one: whatever goes wrong in `decide` is a deny. */
class FallgateError extends Error {
  /**
   * @param {string} code The stable code, shared by all languages.
   * @param {string} message What is wrong, and how to repair it.
   * @param {readonly Finding[]} [findings] What is wrong with a policy, place by place.
   */
  constructor(code, message, findings = []) {
    super(message)
    /** The stable code, shared by all languages. @readonly */
    this.code = code
    /** What is wrong with a policy, place by place; empty for other errors. @readonly */
    this.findings = findings
  }

  /** @override */
  get name() {
    return 'FallgateError'
  }
}

/** Thrown by `enforce` for whatever is not an allow whose obligations are all fulfilled. */
class Denied extends FallgateError {
  /**
   * @param {import('./decision.js').Decision} decision What was decided.
   * @param {string} [message] Why it is refused, where the decision itself does not say.
   * @param {unknown} [cause] What a handler threw.
   */
  constructor(decision, message, cause) {
    super('denied', message ?? `denied: ${decision.reason}`)
    /** What was decided. It may be an allow: then an obligation could not be fulfilled. @readonly */
    this.decision = decision
    if (cause !== undefined) this.cause = cause
  }

  /** @override */
  get name() {
    return 'Denied'
  }
}

/**
 * Calls the addon; its errors carry JSON, from which a `FallgateError` is made.
 *
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
function native(call) {
  try {
    return call()
  } catch (error) {
    const { code, message } = /** @type {{ code?: unknown, message?: unknown }} */ (error ?? {})
    if (typeof code !== 'string' || typeof message !== 'string' || !message.startsWith('{')) throw error
    const told = JSON.parse(message)
    if (code === 'invalid_argument') throw new TypeError(told.message)
    throw new FallgateError(code, told.message, told.findings)
  }
}

exports.Denied = Denied
exports.FallgateError = FallgateError
exports.native = native
