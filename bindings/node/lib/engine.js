'use strict'
// The engine: the core's verbs, as JavaScript has them.

const addon = require('../native.js')
const { Decision, deeplyFrozen, fieldsOf } = require('./decision.js')
const { Denied, FallgateError, native } = require('./failures.js')
const { Operator } = require('./operator.js')
const { DOCUMENT, configured, fileOrBytes, own } = require('./options.js')
const packing = require('./packing.js')
const { Unreadable, documentText, operationText, requestText } = require('./request.js')

/** @typedef {import('./decision.js').Obligation} Obligation */
/** @typedef {import('./words.js').Request} Request */
/** @typedef {import('./words.js').Now} Now */
/** @typedef {import('./words.js').Timed} Timed */
/** @typedef {import('./words.js').Status} Status */
/** @typedef {import('./words.js').Observed} Observed */
/** @typedef {import('./words.js').Options} Options */
/** @typedef {import('./words.js').OpenOptions} OpenOptions */
/** @typedef {import('./words.js').Event} Event */
/** @typedef {import('./words.js').Counters} Counters */
/** @typedef {import('./words.js').Explanation} Explanation */
/** @typedef {import('./words.js').DrillReport} DrillReport */
/** @typedef {import('./words.js').ObligationHandler} ObligationHandler */
/** @typedef {import('./words.js').EnforceOptions} EnforceOptions */
/** @typedef {import('./words.js').Answer} Answer */
/** @typedef {import('./words.js').Operation} Operation */
/** @typedef {import('./words.js').Overview} Overview */

/** A policy decision point inside this process, and of this thread: a worker opens its own. */
class Engine extends Operator {
  /** @type {ReturnType<typeof addon.create>} */
  #handle
  /** How much of a request the core would read, with all of its attributes. @type {import('./request.js').Reading} */
  #everything
  /** How many bytes of an operation the core would read. @type {number} */
  #operationBytes
  /** The same, with the attributes that the active policy looks at. @type {import('./request.js').Reading} */
  #reading
  /** By number: what the addon's short answers stand for. @type {Readonly<import('./decision.js').Fields>[]} */
  #labels = []

  /**
   * An engine without a bundle: it denies everything with `no_policy`.
   *
   * @param {Options} [options]
   */
  constructor(options = {}) {
    super()
    const { told, root } = configured(options)
    this.#handle = native(() => addon.create(told, root))
    const { operation, ...readable } = JSON.parse(addon.requestLimits(this.#handle))
    this.#operationBytes = operation
    this.#everything = { ...readable, wanted: () => null, numbers: () => null }
    this.#reading = this.#everything
  }

  /**
   * An engine with an active bundle.
   *
   * @param {string | Uint8Array | object} pack A pack's folder, a bundle's file, a bundle's bytes, or a pack's document.
   * @param {OpenOptions} [options]
   * @returns {Engine}
   * @throws {FallgateError} for a pack that cannot be read or is refused.
   */
  static open(pack, options) {
    const engine = new this(options)
    engine.activate(pack, options)
    return engine
  }

  /**
   * The two clocks of this machine as they stand now.
   *
   * @returns {Readonly<Now>}
   */
  static now() {
    const [monotonicNs, wallNs] = addon.machineNow()
    return Object.freeze({ monotonicNs, wallNs })
  }

  /**
   * Makes a bundle the active one. The one before decides until then, and stays where this throws.
   *
   * @param {string | Uint8Array | object} pack A pack's folder, a bundle's file, a bundle's bytes, or a pack's document.
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} for a pack that cannot be read or is refused.
   */
  activate(pack, options) {
    const [monotonic, wall] = clocks(options)
    const handle = this.#handle
    if (typeof pack === 'string') {
      native(() => addon.activatePath(handle, pack, monotonic, wall))
    } else if (pack instanceof Uint8Array) {
      native(() => addon.activateBytes(handle, own(pack), monotonic, wall))
    } else if (typeof pack === 'object' && pack !== null) {
      const document = documentText(pack, DOCUMENT)
      native(() => addon.activateDocument(handle, document, monotonic, wall))
    } else {
      throw new TypeError("a pack is its folder's path, a bundle's path, a bundle's bytes or a document")
    }
    this.#learnAnew()
  }

  /**
   * Makes a signed bundle the active one. The one before decides until then, and stays where this throws.
   *
   * @param {string | Uint8Array} envelope A signed bundle's file, or its bytes, that enough keys of the trust root have signed.
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} for one that is refused, with the code that says why: `unsigned`, `under_signed`, `altered`;
   *   `untrusted` where the engine was opened without a trust root.
   */
  activateSigned(envelope, options) {
    const [monotonic, wall] = clocks(options)
    const [path, bytes] = fileOrBytes(envelope)
    native(() => addon.activateSigned(this.#handle, path, bytes, monotonic, wall))
    this.#learnAnew()
  }

  /**
   * Takes a new trust root, which as many keys of the held one have signed as that asks for. Where it revokes the active
   * bundle or too many of its signers, everything is denied until another is activated.
   *
   * @param {string | Uint8Array} envelope The root's file, or its bytes, as `fallgate keys trust --follow` writes it.
   * @param {Timed} [options]
   * @returns {bigint} Its version.
   * @throws {FallgateError} for one that is refused, with the code that says why. The held one stays.
   */
  rotateTrust(envelope, options) {
    const [monotonic, wall] = clocks(options)
    const [path, bytes] = fileOrBytes(envelope)
    return native(() => addon.rotateTrust(this.#handle, path, bytes, monotonic, wall))
  }

  /**
   * The version of the trust root that is held; null where the engine was opened without one.
   *
   * @returns {bigint | null}
   */
  trustVersion() {
    return addon.trustVersion(this.#handle)
  }

  /**
   * Takes a report about a signal, and says what became of it.
   *
   * @param {string} signal
   * @param {Status} status
   * @param {Timed & { observedAt?: bigint }} [options] `observedAt`: when it was seen, on the monotonic clock.
   * @returns {Observed}
   */
  observe(signal, status, options) {
    const [monotonic, wall] = clocks(options)
    const observedAt = options?.observedAt
    if (typeof signal !== 'string' || typeof status !== 'string') throw new TypeError('a signal and its status are texts')
    if (observedAt !== undefined && typeof observedAt !== 'bigint') throw new TypeError('`observedAt` must be a bigint')
    return /** @type {Observed} */ (native(() => addon.observe(this.#handle, signal, status, observedAt, monotonic, wall)))
  }

  /**
   * Decides. It throws only where `now` makes no sense: whatever else is wrong is a deny with its reason.
   *
   * @param {Request} request
   * @param {Timed} [options]
   * @returns {Decision}
   */
  decide(request, options) {
    const now = options === undefined ? UNREAD : clocks(options)
    const monotonic = now[0]
    const wall = now[1]
    const handle = this.#handle
    try {
      const reading = this.#reading
      const length = packed(request, reading)
      // Where a getter of the request has activated another bundle, what that looks at may have been left out.
      if (length > 0 && reading === this.#reading) {
        const answer = addon.decidePacked(handle, packing.bytes, length, monotonic, wall)
        if (answer !== '') return this.#decision(answer)
      }
      // A bundle may have become active, or have been staged, by an operation or by time alone.
      if (reading === this.#reading && !addon.hasLearnt(handle, monotonic, wall)) this.#learnAnew()
      let text = requestText(request, reading)
      if (reading !== this.#reading) text = requestText(request, this.#everything)
      return this.#decision(addon.decide(handle, text, monotonic, wall))
    } catch (error) {
      return this.#refusal(error, monotonic, wall)
    }
  }

  /**
   * Decides on the text or the bytes of an AuthZEN evaluation request.
   *
   * @param {string | Uint8Array} request
   * @param {Timed} [options]
   * @returns {Decision}
   */
  decideJson(request, options) {
    const [monotonic, wall] = clocks(options)
    const handle = this.#handle
    try {
      if (typeof request === 'string') {
        if (!request.isWellFormed()) throw new Unreadable('holds half of a character')
        return this.#decision(addon.decide(handle, request, monotonic, wall))
      }
      if (!(request instanceof Uint8Array)) throw new Unreadable('must be a text or bytes')
      return this.#decision(addon.decideBytes(handle, own(request), monotonic, wall))
    } catch (error) {
      return this.#refusal(error, monotonic, wall)
    }
  }

  /**
   * Decides on many requests at one time.
   *
   * @param {Iterable<Request>} requests
   * @param {Timed} [options]
   * @returns {Decision[]} In the order of the requests.
   */
  decideMany(requests, options) {
    const now = options?.now ?? Engine.now()
    return Array.from(requests, (request) => this.decide(request, { now }))
  }

  /**
   * The same on a thread of Node's pool. The requests are read before this returns.
   *
   * @param {Iterable<Request>} requests
   * @param {Timed} [options]
   * @returns {Promise<Decision[]>} In the order of the requests.
   */
  async decideManyAsync(requests, options) {
    const [monotonic, wall] = clocks(options)
    const asked = Array.from(requests, (request) => {
      try {
        return { request: requestText(request, this.#everything) }
      } catch (error) {
        return { refused: error instanceof Unreadable ? error.detail : 'the request cannot be read' }
      }
    })
    const answers = await native(() => addon.decideMany(this.#handle, asked, monotonic, wall))
    return answers.map((answer) => new Decision(fieldsOf(answer)))
  }

  /**
   * Decides, fulfils the obligations, and throws for whatever is not an allow. An obligation without a handler, or whose
   * handler throws or gives a promise, denies.
   *
   * @param {Request} request
   * @param {EnforceOptions} [options] `obligations`: by type of obligation, what fulfils it.
   * @returns {Decision} An allow.
   * @throws {Denied}
   */
  enforce(request, options) {
    const decision = this.decide(request, options)
    if (decision.allowed !== true) throw new Denied(decision)
    for (const obligation of decision.obligations) {
      const given = fulfil(obligation, decision, options?.obligations)
      if (isThenable(given)) {
        // What it comes to is not waited for, and must not end the process either.
        Promise.resolve(given).catch(() => {})
        throw new Denied(decision, `denied: the handler of the obligation ${obligation.id} gives a promise; use enforceAsync`)
      }
    }
    return decision
  }

  /**
   * The same with handlers that may give promises: each is waited for.
   *
   * @param {Request} request
   * @param {EnforceOptions} [options] `obligations`: by type of obligation, what fulfils it.
   * @returns {Promise<Decision>} An allow.
   * @throws {Denied}
   */
  async enforceAsync(request, options) {
    const decision = this.decide(request, options)
    if (decision.allowed !== true) throw new Denied(decision)
    for (const obligation of decision.obligations) {
      try {
        await fulfil(obligation, decision, options?.obligations)
      } catch (error) {
        throw error instanceof Denied ? error : unfulfilled(obligation, decision, error)
      }
    }
    return decision
  }

  /**
   * Answers a request of the AuthZEN Authorization API 1.0: for a host that serves it to others. Whatever is wrong with the
   * body is a status, or a deny.
   *
   * @param {string} path `/access/v1/evaluation`, `/access/v1/evaluations`, or `/access/v1/search/` and `subject`, `resource` or `action`.
   * @param {string | Uint8Array} body
   * @param {Timed} [options]
   * @returns {Readonly<Answer>}
   * @throws {FallgateError} for a path that is no endpoint.
   */
  authzen(path, body, options) {
    const [monotonic, wall] = clocks(options)
    if (typeof path !== 'string') throw new TypeError('a path is a text')
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body is a text or bytes')
    if (typeof body === 'string' && !body.isWellFormed()) throw new TypeError('the body holds half of a character')
    const bytes = typeof body === 'string' ? Buffer.from(body) : own(body)
    return deeplyFrozen(JSON.parse(native(() => addon.authzen(this.#handle, path, bytes, monotonic, wall))))
  }

  /**
   * The metadata of the decision point at this address, to be served at `/.well-known/authzen-configuration`. The address is
   * the host's to say, never a request's.
   *
   * @param {string} address
   * @returns {Readonly<Record<string, string>>}
   * @throws {FallgateError} for an address that identifies no decision point.
   */
  static authzenMetadata(address) {
    if (typeof address !== 'string') throw new TypeError('an address is a text')
    return deeplyFrozen(JSON.parse(native(() => addon.authzenMetadata(address))))
  }

  /**
   * Explains what `decide` would say, without an effect on anything.
   *
   * @param {Request} request
   * @param {Timed} [options]
   * @returns {Explanation}
   */
  explain(request, options) {
    const [monotonic, wall] = clocks(options)
    let text
    try {
      text = requestText(request, this.#everything)
    } catch (error) {
      const stopped = error instanceof Unreadable ? error.detail : 'the request cannot be read'
      return deeplyFrozen({ stopped, degraded: [], signals: [], rules: [], expiry: [] })
    }
    return deeplyFrozen(JSON.parse(native(() => addon.explain(this.#handle, text, monotonic, wall))))
  }

  /**
   * Does an operation, and says what it came to. The methods that are named after operations call it.
   *
   * @override
   * @param {Operation | string | Uint8Array} operation An object with one member, named after what is done; or its JSON.
   * @param {Timed} [options]
   * @returns {Readonly<Record<string, any>>} Empty where there is nothing to say but that it was done.
   * @throws {FallgateError} where it was not done, with the code that says why: `malformed_operation` for what is none.
   */
  operate(operation, options) {
    const [monotonic, wall] = clocks(options)
    const handle = this.#handle
    let bytes
    try {
      bytes = operationBytes(operation, this.#operationBytes)
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      // A state that cannot be read is one that does not verify: the core has to hear of it.
      if (restores(operation)) {
        try {
          addon.operate(handle, UNREADABLE_STATE, monotonic, wall)
        } catch {} // It says that this is no operation, which is what it is for.
      }
      const message = error.detail.replace('the request', 'the operation')
      native(() => addon.refuseOperation(handle, message))
      throw error
    }
    return deeplyFrozen(exactly(native(() => addon.operate(handle, bytes, monotonic, wall))))
  }

  /**
   * The posture that is in force, everywhere or in a scope such as `tenant:acme`, as of the last call that told the engine
   * the time; null where no bundle is active.
   *
   * @param {string} [scope]
   * @returns {string | null}
   */
  posture(scope) {
    if (scope !== undefined && typeof scope !== 'string') throw new TypeError('a scope is a text')
    return addon.posture(this.#handle, scope)
  }

  /**
   * How things stand, for people who have to act. What is due is done first.
   *
   * @param {Timed} [options]
   * @returns {Readonly<Overview>}
   */
  overview(options) {
    const [monotonic, wall] = clocks(options)
    return deeplyFrozen(JSON.parse(native(() => addon.overview(this.#handle, monotonic, wall))))
  }

  /**
   * Lets time alone do what is due: signals expire, a validity ends. Due at `nextDeadline` at the latest, so that events
   * come in time even when nobody asks.
   *
   * @param {Timed} [options]
   * @returns {void}
   */
  advance(options) {
    const [monotonic, wall] = clocks(options)
    native(() => addon.advance(this.#handle, monotonic, wall))
  }

  /**
   * Takes the two clocks as they stand now for right: the way out after they have parted.
   *
   * @param {Timed} [options]
   * @returns {void}
   */
  anchorClocks(options) {
    const [monotonic, wall] = clocks(options)
    native(() => addon.anchorClocks(this.#handle, monotonic, wall))
  }

  /**
   * When `advance` is due, at the latest, on the monotonic clock; null while time alone changes nothing.
   *
   * @returns {bigint | null}
   */
  nextDeadline() {
    return addon.nextDeadline(this.#handle)
  }

  /**
   * The oldest event that was not polled yet.
   *
   * @returns {Readonly<Event> | null}
   */
  pollEvent() {
    const text = addon.pollEvent(this.#handle)
    return text === null ? null : eventOf(JSON.parse(text))
  }

  /**
   * The events that were not polled yet, the oldest first. It ends where there are no more; it never waits.
   *
   * @returns {Generator<Readonly<Event>, void, undefined>}
   */
  *events() {
    for (let event = this.pollEvent(); event !== null; event = this.pollEvent()) yield event
  }

  /**
   * What was counted so far.
   *
   * @returns {Readonly<Counters>}
   */
  counters() {
    return Object.freeze(JSON.parse(addon.counters(this.#handle)))
  }

  /**
   * The status of a signal, as of the last call that told the engine the time; null where none is so named.
   *
   * @param {string} name
   * @returns {Status | null}
   */
  signal(name) {
    return /** @type {Status | null} */ (addon.signal(this.#handle, name))
  }

  /**
   * The active bundle: its name, revision and identifier; null where none is active.
   *
   * @returns {Readonly<{ name: string, revision: number, id: string }> | null}
   */
  bundle() {
    const text = addon.bundle(this.#handle)
    return text === null ? null : Object.freeze(JSON.parse(text))
  }

  /**
   * The active bundle's canonical bytes: what a worker, or another machine, opens to decide by the same policy.
   *
   * @returns {Buffer | null}
   */
  bundleBytes() {
    return addon.bundleBytes(this.#handle)
  }

  /**
   * Runs a drill on a fresh engine with the active bundle. Nothing of this engine changes.
   *
   * @param {string | object} drill A drill's file, or its document.
   * @returns {DrillReport}
   * @throws {FallgateError} for a drill that cannot be read or is refused.
   */
  drill(drill) {
    let text
    if (typeof drill === 'string') {
      text = native(() => addon.drillPath(this.#handle, drill))
    } else if (typeof drill === 'object' && drill !== null) {
      const document = documentText(drill, DOCUMENT)
      text = native(() => addon.drillDocument(this.#handle, document))
    } else {
      throw new TypeError("a drill is its file's path or a document")
    }
    const report = JSON.parse(text)
    report.steps = report.steps.map(stepOf)
    return deeplyFrozen(report)
  }

  /**
   * Lets go of the bundle and of all that was observed. What is asked from then on is denied with `no_policy`; what
   * would tell the engine something throws with the code `closed`. Closing twice is fine.
   *
   * @returns {void}
   */
  close() {
    addon.close(this.#handle)
    this.#learnAnew()
  }

  /** @returns {void} */
  [Symbol.dispose]() {
    this.close()
  }

  /** @returns {Promise<void>} */
  async [Symbol.asyncDispose]() {
    this.close()
  }

  /**
   * The decision that an answer of the addon stands for.
   *
   * @param {string} answer
   * @returns {Decision}
   */
  #decision(answer) {
    if (answer.charCodeAt(0) === BRACE) return new Decision(fieldsOf(answer))
    const number = (answer.charCodeAt(26) - DIGIT_ZERO) * 64 + answer.charCodeAt(27) - DIGIT_ZERO
    const fields = this.#labels[number] ?? this.#learn(number)
    return new Decision(fields, answer.slice(0, 26), answer.length === 28 ? 0 : Number(answer.slice(28)))
  }

  /** Another bundle has other labels, and looks at other attributes. */
  #learnAnew() {
    this.#labels = []
    const handle = this.#handle
    addon.learn(handle)
    /** @type {Record<string, Map<string, ReadonlyMap<string, number> | null>>} */
    const known = { subject: new Map(), action: new Map(), resource: new Map(), context: new Map() }
    const numbers = (/** @type {string} */ entity, /** @type {string} */ type) => {
      const ofEntity = known[entity]
      let found = ofEntity.get(type)
      if (found === undefined) {
        const names = addon.wanted(handle, entity, type)
        found = names && numbered(handle, names)
        // Types come with requests: strangers must not fill the memory with them.
        if (ofEntity.size >= WANTED_MAX) ofEntity.clear()
        ofEntity.set(type, found)
      }
      return found
    }
    const wanted = (/** @type {string} */ entity, /** @type {string} */ type) => {
      const found = numbers(entity, type)
      return found && [...found.keys()]
    }
    this.#reading = { ...this.#everything, wanted, numbers }
  }

  /** @param {number} number */
  #learn(number) {
    const text = addon.label(this.#handle, number)
    if (text === null) throw new Error('an answer has a label that was never given out')
    return (this.#labels[number] = fieldsOf(text))
  }

  /**
   * The deny of a request that no decision came of.
   *
   * @param {unknown} error
   * @param {bigint | undefined} monotonic
   * @param {bigint | undefined} wall
   * @returns {Decision}
   */
  #refusal(error, monotonic, wall) {
    if (!(error instanceof Unreadable)) return new Decision()
    try {
      return new Decision(fieldsOf(addon.refuse(this.#handle, error.detail, monotonic, wall)))
    } catch {
      return new Decision()
    }
  }
}

/**
 * Names with the numbers that the addon knows them by; null, which stands for all names, where it has no more numbers.
 *
 * @param {ReturnType<typeof addon.create>} handle
 * @param {readonly string[]} names
 */
function numbered(handle, names) {
  /** @type {Map<string, number>} */
  const numbers = new Map()
  for (const name of names) {
    const number = addon.nameNumber(handle, name)
    if (number === null) return null
    numbers.set(name, number)
  }
  return numbers
}

/**
 * Packs a request, and says how many bytes it takes; 0 where it must go as text.
 *
 * @param {Request} request
 * @param {import('./request.js').Reading} reading
 * @returns {number}
 */
function packed(request, reading) {
  try {
    return packing.pack(request, reading)
  } catch {
    // Reading it throws: the other way says where.
    return 0
  }
}

const BRACE = '{'.charCodeAt(0)
/** For how many types of an entity the attributes that the policy looks at are remembered. */
const WANTED_MAX = 1024
const DIGIT_ZERO = '0'.charCodeAt(0)

/**
 * The readings of the clocks that a caller brings, checked: what is not whole is a mistake, never half of it.
 *
 * @param {Timed | undefined} options
 * @returns {[bigint, bigint] | [undefined, undefined]}
 */
function clocks(options) {
  const now = options?.now
  if (now === undefined) return UNREAD
  const { monotonicNs, wallNs } = now ?? {}
  const whole =
    typeof monotonicNs === 'bigint' && monotonicNs >= 0n && monotonicNs < 2n ** 64n &&
    typeof wallNs === 'bigint' && wallNs >= -(2n ** 63n) && wallNs < 2n ** 63n
  if (!whole) throw new TypeError('`now` must be `{ monotonicNs, wallNs }`, two bigints of nanoseconds within 64 bits')
  return [monotonicNs, wallNs]
}

/**
 * JSON whose integers beyond 2 ** 53 - 1 are bigints: a number would lose their last digits.
 *
 * @param {string} text
 * @returns {any}
 */
function exactly(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g, (found) => (found.startsWith('"') ? found : `{"$integer":"${found}"}`))
  return JSON.parse(marked, (_, value) => {
    const digits = value?.$integer
    if (typeof digits !== 'string' || Object.keys(value).length > 1) return value
    const whole = BigInt(digits)
    return BigInt.asIntN(54, whole) === whole ? Number(whole) : whole
  })
}

/** What the core hears of a state that could not be read here: it puts the strictest posture in force. */
const UNREADABLE_STATE = Buffer.from('{"restore_state"')

/**
 * Whether an object would restore a state; one that cannot be asked may.
 *
 * @param {unknown} operation
 */
function restores(operation) {
  try {
    return typeof operation === 'object' && operation !== null && 'restore_state' in operation
  } catch {
    return true
  }
}

/**
 * The bytes of an operation.
 *
 * @param {unknown} operation
 * @param {number} bytes How many the core would read.
 * @returns {Uint8Array}
 * @throws {Unreadable} for what has no single meaning.
 */
function operationBytes(operation, bytes) {
  if (operation instanceof Uint8Array) return own(operation)
  if (typeof operation === 'string') {
    if (!operation.isWellFormed()) throw new Unreadable('holds half of a character')
    return Buffer.from(operation)
  }
  if (typeof operation !== 'object' || operation === null) {
    throw new TypeError('an operation is an object with one member, named after what is done, or its JSON')
  }
  return Buffer.from(operationText(operation, { ...DOCUMENT, bytes }))
}

/** @type {[undefined, undefined]} */
const UNREAD = [undefined, undefined]

/**
 * @param {Obligation} obligation
 * @param {Decision} decision
 * @param {{ readonly [type: string]: ObligationHandler } | undefined} handlers
 * @returns {unknown}
 */
function fulfil(obligation, decision, handlers) {
  const handler = handlers !== undefined && Object.hasOwn(handlers, obligation.type) ? handlers[obligation.type] : undefined
  if (typeof handler !== 'function') {
    throw new Denied(decision, `denied: no handler for the obligation ${obligation.id} of type ${obligation.type}`)
  }
  try {
    return handler(obligation, decision)
  } catch (error) {
    throw unfulfilled(obligation, decision, error)
  }
}

/**
 * @param {Obligation} obligation
 * @param {Decision} decision
 * @param {unknown} cause
 */
function unfulfilled(obligation, decision, cause) {
  return new Denied(decision, `denied: the obligation ${obligation.id} could not be fulfilled`, cause)
}

/** @param {unknown} value */
function isThenable(value) {
  const holds = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return holds && typeof (/** @type {any} */ (value).then) === 'function'
}

/** @param {any} told */
function eventOf({ monotonicNs, wallNs, ...event }) {
  return Object.freeze({ ...event, at: instantOf(monotonicNs, wallNs) })
}

/** @param {any} told */
function stepOf({ monotonicNs, wallNs, decision, events, ...step }) {
  return {
    ...step,
    at: instantOf(monotonicNs, wallNs),
    decision: decision === null ? null : new Decision(fieldsOf(JSON.stringify(decision))),
    events: events.map(eventOf),
  }
}

/**
 * @param {string} monotonicNs
 * @param {string} wallNs
 * @returns {Readonly<Now>}
 */
function instantOf(monotonicNs, wallNs) {
  return Object.freeze({ monotonicNs: BigInt(monotonicNs), wallNs: BigInt(wallNs) })
}

exports.Decision = Decision
exports.Denied = Denied
exports.Engine = Engine
exports.FallgateError = FallgateError
