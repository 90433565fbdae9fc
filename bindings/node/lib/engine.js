'use strict'
// The engine: the core's verbs, as JavaScript has them.

const addon = require('../native.js')
const { Decision, deeplyFrozen, fieldsOf } = require('./decision.js')
const { Denied, FallgateError, native } = require('./failures.js')
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
/** @typedef {import('./words.js').Quarry} Quarry */
/** @typedef {import('./words.js').QuarantineTerms} QuarantineTerms */
/** @typedef {import('./words.js').InScope} InScope */
/** @typedef {import('./words.js').Proof} Proof */
/** @typedef {import('./words.js').Approved} Approved */
/** @typedef {import('./words.js').Overview} Overview */
/** @typedef {import('./words.js').Restored} Restored */
/** @typedef {import('./words.js').CallOutcome} CallOutcome */

/** A policy decision point inside this process, and of this thread: a worker opens its own. */
class Engine {
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
    const { clockSkewMaxMs, instance, key, limits, stateKey } = options
    if (key !== undefined && !(key instanceof Uint8Array && key.length === 16)) {
      throw new TypeError('`key` must be 16 bytes')
    }
    if (stateKey !== undefined && !(stateKey instanceof Uint8Array && stateKey.length === 32)) {
      throw new TypeError('`stateKey` must be 32 bytes')
    }
    if (instance !== undefined && !(typeof instance === 'string' && instance.isWellFormed())) {
      throw new TypeError('`instance` must be a text')
    }
    const told = JSON.stringify({ clockSkewMaxMs, instance, key: key && [...key], limits, stateKey: stateKey && [...stateKey] })
    this.#handle = native(() => addon.create(told))
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
        return this.#decision(addon.decidePacked(handle, packing.bytes, length, monotonic, wall))
      }
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
   * Enters a posture. One that is entered already stays so.
   *
   * @param {string} posture
   * @param {InScope} [options]
   * @returns {void}
   * @throws {FallgateError} where the pack has no such posture or scope.
   */
  enterPosture(posture, options) {
    const { now, ...members } = given(options)
    this.operate({ enter_posture: { ...members, posture } }, { now })
  }

  /**
   * Leaves a posture, where all that its pack demands for that holds.
   *
   * @param {string} posture
   * @param {InScope} [options]
   * @returns {void}
   * @throws {FallgateError} with the code of the first demand that is not met.
   */
  leavePosture(posture, options) {
    const { now, ...members } = given(options)
    this.operate({ leave_posture: { ...members, posture } }, { now })
  }

  /**
   * Acknowledges a posture: it escalates no more until it is entered again.
   *
   * @param {string} posture
   * @param {InScope} [options]
   * @returns {void}
   * @throws {FallgateError} where it is not entered there.
   */
  acknowledgePosture(posture, options) {
    const { now, ...members } = given(options)
    this.operate({ acknowledge_posture: { ...members, posture } }, { now })
  }

  /**
   * Denies whatever is selected, whatever the rules say, until it is lifted or over.
   *
   * @param {Quarry} what
   * @param {Timed & QuarantineTerms} [options]
   * @returns {Quarry} What is quarantined then: everything, where there was no room for one more.
   * @throws {FallgateError}
   */
  quarantine(what, options) {
    const { now, ...members } = given(options)
    return this.operate({ quarantine: { ...members, what } }, { now }).quarantined
  }

  /**
   * Lifts a quarantine before its end.
   *
   * @param {Quarry} what
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} where it is not quarantined.
   */
  liftQuarantine(what, options) {
    this.operate({ lift_quarantine: what }, options)
  }

  /**
   * Voids what was decided for a subject: after a password that was stolen, a role that was taken away. The next request is
   * evaluated anew.
   *
   * @param {{ readonly type: string, readonly id: string }} subject
   * @param {Timed & { before?: bigint }} [options] `before`: until when, inclusive, on the monotonic clock; left out, now.
   * @returns {void}
   */
  revoke(subject, options) {
    const { now, before, ...members } = given(options)
    if (before !== undefined && typeof before !== 'bigint') throw new TypeError('`before` must be a bigint')
    // A span of the core, in whole milliseconds: rounded up, so that nothing is kept that should be void.
    const until = before === undefined ? {} : { before: `${(before + 999_999n) / 1_000_000n}ms` }
    this.operate({ revoke: { ...members, ...until, ...subject } }, { now })
  }

  /**
   * Proposes what takes approvals. It waits until it expires.
   *
   * @param {{ readonly [name: string]: import('./words.js').Value }} proposal The document that was signed.
   * @param {Timed & Proof} [options]
   * @returns {string} The proposal's id.
   * @throws {FallgateError}
   */
  propose(proposal, options) {
    const { now, ...members } = given(options)
    return this.operate({ propose: { ...proved(members), proposal } }, { now }).proposed
  }

  /**
   * Approves a proposal. With the last approval that it takes, what was proposed is done.
   *
   * @param {string} proposal Its id.
   * @param {string} by Which approver it is.
   * @param {Timed & Proof} [options]
   * @returns {Readonly<Approved>}
   * @throws {FallgateError}
   */
  approve(proposal, by, options) {
    const { now, ...members } = given(options)
    return this.operate({ approve: { ...proved(members), proposal, by } }, { now }).approved
  }

  /**
   * Withdraws a proposal that waits: any approver may.
   *
   * @param {string} proposal Its id.
   * @param {string} by Which approver it is.
   * @param {Timed & Proof} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  withdraw(proposal, by, options) {
    const { now, ...members } = given(options)
    this.operate({ withdraw: { ...proved(members), proposal, by } }, { now })
  }

  /**
   * Ends an override before its time.
   *
   * @param {string} override The id of the proposal that granted it.
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} where no such override is in force.
   */
  revokeOverride(override, options) {
    this.operate({ revoke_override: { override } }, options)
  }

  /**
   * Sets a flag: its posture is entered, and stays until the flag is cleared. After a time a flag that is still set is
   * reported.
   *
   * @param {string} flag
   * @param {Timed & { for?: string }} [options] `for`: after what time it is reported, as in `2h`; left out, the most that
   *   the pack admits.
   * @returns {void}
   * @throws {FallgateError}
   */
  setFlag(flag, options) {
    const { now, ...members } = given(options)
    this.operate({ set_flag: { ...members, flag } }, { now })
  }

  /**
   * Clears a flag. Its posture stays until somebody leaves it.
   *
   * @param {string} flag
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  clearFlag(flag, options) {
    this.operate({ clear_flag: { flag } }, options)
  }

  /**
   * Exports what has to outlive the engine, sealed with its `stateKey`.
   *
   * @param {Timed} [options]
   * @returns {string} To be kept to the byte.
   * @throws {FallgateError} where the engine has no key.
   */
  exportState(options) {
    return this.operate({ export_state: {} }, options).state
  }

  /**
   * Restores what was exported. What does not verify throws, and puts the strictest posture in force.
   *
   * @param {string | Uint8Array} state What `exportState` gave; empty where there is none.
   * @param {Timed & { leastSequence?: bigint }} [options] `leastSequence`: the lowest that is taken, for a host that
   *   remembers it.
   * @returns {Readonly<Restored>}
   * @throws {FallgateError}
   */
  restoreState(state, options) {
    const { now, leastSequence, ...members } = given(options)
    if (leastSequence !== undefined && typeof leastSequence !== 'bigint') throw new TypeError('`leastSequence` must be a bigint')
    const least = leastSequence === undefined ? {} : { least_sequence: leastSequence }
    // What is no text is no state either, and the core has to see it to put the strictest posture in force.
    const text = state instanceof Uint8Array ? Buffer.from(state).toString('utf8') : typeof state === 'string' ? state.toWellFormed() : state
    const { restored } = this.operate({ restore_state: { ...members, ...least, state: text } }, { now })
    const { sequence, epoch, instance, elapsed_ms: elapsedMs } = restored
    return Object.freeze({ sequence: BigInt(sequence), epoch: BigInt(epoch), instance, elapsedMs })
  }

  /**
   * Makes this engine the active one.
   *
   * @param {Timed} [options]
   * @returns {bigint} The epoch that it claims, to be published to the others.
   * @throws {FallgateError} where it has no `instance`.
   */
  takeOver(options) {
    return BigInt(this.operate({ take_over: {} }, options).epoch)
  }

  /**
   * Takes in that an engine claims to be the active one. Two that do are found out, and are both the stricter for it.
   *
   * @param {bigint} epoch
   * @param {string} instance
   * @param {Timed} [options]
   * @returns {void}
   */
  witnessEpoch(epoch, instance, options) {
    if (typeof epoch !== 'bigint') throw new TypeError('an epoch is a bigint')
    this.operate({ witness_epoch: { epoch, instance } }, options)
  }

  /**
   * Gives up being the active one. The posture stays what it is.
   *
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} where it is not active.
   */
  resign(options) {
    this.operate({ resign: {} }, options)
  }

  /**
   * Asks a guard, by the name of its signal, whether a call may be made.
   *
   * @param {string} signal
   * @param {Timed & { key?: string }} [options] `key`: what a limiter tells calls apart by.
   * @returns {bigint} The permit to report.
   * @throws {FallgateError} where the call is not to be made: its `code` says why, as `open`, `full` or `used_up`.
   */
  acquire(signal, options) {
    const { now, ...members } = given(options)
    return BigInt(this.operate({ acquire: { ...members, signal } }, { now }).permit)
  }

  /**
   * Tells a guard what a call came to.
   *
   * @param {string} signal
   * @param {bigint} permit
   * @param {CallOutcome} outcome
   * @param {Timed & { took?: string }} [options] `took`: how long, as in `250ms`; left out, the time since the permit.
   * @returns {'taken' | 'ignored'} Ignored, where the permit is none of its own any more.
   * @throws {FallgateError}
   */
  report(signal, permit, outcome, options) {
    if (typeof permit !== 'bigint') throw new TypeError('a permit is a bigint')
    const { now, ...members } = given(options)
    return this.operate({ report: { ...members, signal, permit, outcome } }, { now }).report
  }

  /**
   * Asks for how long to wait before a call is tried again.
   *
   * @param {string} signal
   * @param {bigint} permit
   * @param {string} outcome What the last try came to, in the host's own word, as `timeout`.
   * @param {Timed} [options]
   * @returns {number} Milliseconds.
   * @throws {FallgateError} where it must not be tried again.
   */
  retry(signal, permit, outcome, options) {
    if (typeof permit !== 'bigint') throw new TypeError('a permit is a bigint')
    return this.operate({ retry: { signal, permit, outcome } }, options).retry_in_ms
  }

  /**
   * Takes something once.
   *
   * @param {string} signal
   * @param {string} key What tells it apart.
   * @param {Date | string} madeAt When it was made.
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} for a repeat, and beyond the window.
   */
  firstSeen(signal, key, madeAt, options) {
    this.operate({ first_seen: { signal, key, made_at: madeAt } }, options)
  }

  /**
   * Keeps every call away from the dependency of a breaker, until it is released.
   *
   * @param {string} signal
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} where it is no breaker.
   */
  forceOpen(signal, options) {
    this.operate({ force_open: { signal } }, options)
  }

  /**
   * Lets go of a breaker that was forced open: it is half-open then.
   *
   * @param {string} signal
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  release(signal, options) {
    this.operate({ release: { signal } }, options)
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
/** How much of a pack's or a drill's document is put into text; the core's own limits are below. */
const DOCUMENT = Object.freeze({ bytes: 2 ** 28, depth: 128 })

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
 * The options of an operation that were given; those that are undefined are left out.
 *
 * @param {any} options
 * @returns {any}
 */
function given(options) {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined))
}

/**
 * JSON whose integers beyond 2 ** 53 - 1 are bigints: a number would lose their last digits.
 *
 * @param {string} text
 * @returns {any}
 */
function exactly(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g, (found) => (found.startsWith('"') ? found : `{"$integer":"${found}"}`))
  return JSON.parse(marked, (_, value) => {
    const digits = value?.$integer
    if (typeof digits !== 'string' || Object.keys(value).length > 1) return value
    const whole = BigInt(digits)
    return BigInt.asIntN(54, whole) === whole ? Number(whole) : whole
  })
}

/**
 * The members of a proof, with the bytes of a signature as text.
 *
 * @param {any} members
 * @returns {any}
 */
function proved(members) {
  const { signature } = members
  return signature instanceof Uint8Array ? { ...members, signature: Buffer.from(signature).toString('hex') } : members
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
 * Bytes that nobody else can change while they are read.
 *
 * @param {Uint8Array} bytes
 */
function own(bytes) {
  return bytes.buffer instanceof SharedArrayBuffer ? Uint8Array.from(bytes) : bytes
}

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
