'use strict'
// A decision: the effect, with its reason and all that a host needs to act on it.

/**
 * What a host must do along with a decision.
 *
 * @typedef {object} Obligation
 * @property {string} id Which obligation of the pack it is.
 * @property {string} type What kind of thing is to be done.
 * @property {unknown} properties The particulars.
 */

/**
 * The fields of a decision.
 *
 * @typedef {object} Fields
 * @property {boolean} allowed
 * @property {string} reason
 * @property {string | null} rule
 * @property {string} bundle
 * @property {number} revision
 * @property {string} posture
 * @property {string | null} override
 * @property {readonly Obligation[]} obligations
 * @property {readonly string[]} messages
 * @property {readonly string[]} degraded
 * @property {number} expiresInMs
 * @property {boolean} cached
 * @property {boolean} informationLoss
 * @property {string} id
 * @property {string | null} detail
 */

/**
 * A decision as an AuthZEN evaluation response.
 *
 * @typedef {object} EvaluationResponse
 * @property {boolean} decision
 * @property {Record<string, unknown>} context
 */

/** @type {readonly never[]} */
const NONE = Object.freeze([])

/** The fields of a decision that was never made: a deny. @type {Readonly<Fields>} */
const NEVER = Object.freeze({
  allowed: false,
  reason: 'internal_error',
  rule: null,
  bundle: '',
  revision: 0,
  posture: '',
  override: null,
  obligations: NONE,
  messages: NONE,
  degraded: NONE,
  expiresInMs: 0,
  cached: false,
  informationLoss: false,
  id: '0'.repeat(26),
  detail: null,
})

/**
 * The answer to a request: frozen, and data alone. One that was never made is a deny.
 *
 * Ask `allowed`: an object is never falsy in JavaScript, so the decision itself says nothing in a condition.
 */
class Decision {
  /** Whether the request is granted. @readonly @type {boolean} */
  allowed
  /** Why: a stable code. @readonly @type {string} */
  reason
  /** The rule that decided, if one did. @readonly @type {string | null} */
  rule
  /** The bundle that decided; empty if there was none. @readonly @type {string} */
  bundle
  /** The bundle's revision. @readonly @type {number} */
  revision
  /** The posture that the request was under; empty if there was no bundle. @readonly @type {string} */
  posture
  /** The override that allowed it, by the id of its proposal. @readonly @type {string | null} */
  override
  /** What the host has to do along with it. @readonly @type {readonly Obligation[]} */
  obligations
  /** What the rule that denied says against the request: the members of a Rego deny set. @readonly @type {readonly string[]} */
  messages
  /** The required signals that were not ok. @readonly @type {readonly string[]} */
  degraded
  /** For how many milliseconds the host may keep it; zero if not at all. @readonly @type {number} */
  expiresInMs
  /** Whether an earlier evaluation was used again. @readonly @type {boolean} */
  cached
  /** Whether the rule that decided declares that it may grant more when it knows less. @readonly @type {boolean} */
  informationLoss
  /** The identifier. @readonly @type {string} */
  id
  /** What exactly was wrong with the request, for a reason that concerns it. @readonly @type {string | null} */
  detail

  /**
   * @param {Readonly<Fields>} [fields] What it says; left out, a deny with the reason `internal_error`.
   * @param {string} [id] The identifier, where it is not the fields'.
   * @param {number} [expiresInMs] The life, where it is not the fields'.
   */
  constructor(fields = NEVER, id = fields.id, expiresInMs = fields.expiresInMs) {
    this.allowed = fields.allowed
    this.reason = fields.reason
    this.rule = fields.rule
    this.bundle = fields.bundle
    this.revision = fields.revision
    this.posture = fields.posture
    this.override = fields.override
    this.obligations = fields.obligations
    this.messages = fields.messages
    this.degraded = fields.degraded
    this.expiresInMs = expiresInMs
    this.cached = fields.cached
    this.informationLoss = fields.informationLoss
    this.id = id
    this.detail = fields.detail
    Object.freeze(this)
  }

  /**
   * The decision as an AuthZEN evaluation response, the same in every language.
   *
   * @returns {EvaluationResponse}
   */
  toJSON() {
    /** @type {Record<string, unknown>} */
    const context = { id: this.id, reason: this.reason }
    if (this.rule !== null) context.rule = this.rule
    if (this.override !== null) context.override = this.override
    context.bundle = this.bundle
    context.revision = this.revision
    context.posture = this.posture
    context.cached = this.cached
    if (this.informationLoss) context.information_loss = true
    context.degraded = this.degraded
    context.expires_in_ms = this.expiresInMs
    context.obligations = this.obligations
    if (this.messages.length > 0) context.messages = this.messages
    if (this.detail !== null) context.detail = this.detail
    return { decision: this.allowed, context }
  }
}

/**
 * The fields that the core's JSON of a decision says. What it does not say is as in a decision that was never made.
 *
 * @param {string} text
 * @returns {Readonly<Fields>}
 */
function fieldsOf(text) {
  const { decision, context } = JSON.parse(text)
  return Object.freeze({
    allowed: decision === true,
    reason: context.reason,
    rule: context.rule ?? null,
    bundle: context.bundle,
    revision: context.revision,
    posture: context.posture,
    override: context.override ?? null,
    obligations: deeplyFrozen(context.obligations),
    messages: deeplyFrozen(context.messages ?? NONE),
    degraded: deeplyFrozen(context.degraded),
    expiresInMs: context.expires_in_ms,
    cached: context.cached,
    informationLoss: context.information_loss ?? false,
    id: context.id,
    detail: context.detail ?? null,
  })
}

/**
 * A value of JSON, frozen at every depth.
 *
 * @param {any} value
 * @returns {any}
 */
function deeplyFrozen(value) {
  if (value === null || typeof value !== 'object') return value
  for (const member of Object.values(value)) deeplyFrozen(member)
  return Object.freeze(value)
}

exports.Decision = Decision
exports.deeplyFrozen = deeplyFrozen
exports.fieldsOf = fieldsOf
