'use strict'
// What operators and automations do to an engine: one method for each operation, by its own name.

/** @typedef {import('./words.js').Timed} Timed */
/** @typedef {import('./words.js').Operation} Operation */
/** @typedef {import('./words.js').Quarry} Quarry */
/** @typedef {import('./words.js').QuarantineTerms} QuarantineTerms */
/** @typedef {import('./words.js').InScope} InScope */
/** @typedef {import('./words.js').Proof} Proof */
/** @typedef {import('./words.js').Approved} Approved */
/** @typedef {import('./words.js').Restored} Restored */
/** @typedef {import('./words.js').CallOutcome} CallOutcome */
/** @typedef {import('./words.js').AuditBatch} AuditBatch */
/** @typedef {import('./words.js').JournalBatch} JournalBatch */
/** @typedef {import('./words.js').DecisionLabel} DecisionLabel */
/** @typedef {import('./words.js').Head} Head */
/** @typedef {import('./words.js').Metrics} Metrics */
/** @typedef {import('./words.js').TriggerLabel} TriggerLabel */
/** @typedef {import('./words.js').PendingAnswer} PendingAnswer */
/** @typedef {import('./words.js').Applied} Applied */

/** The operations as methods. Each calls `operate`, which the engine has. */
class Operator {
  /**
   * Does an operation, and says what it came to.
   *
   * @abstract
   * @param {Operation | string | Uint8Array} _operation
   * @param {Timed} [_options]
   * @returns {Readonly<Record<string, any>>}
   */
  operate(_operation, _options) {
    throw new TypeError('an operation is done to an engine')
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
   * Hands out audit records, oldest first. They stay until `acknowledgeAudit` confirms them, and come again until then. The
   * sinks of `fallgate/audit` do both.
   *
   * @param {Timed & { max?: number }} [options] `max`: how many at the most; left out, 1,000, and never more than 10,000.
   * @returns {Readonly<AuditBatch>}
   * @throws {FallgateError}
   */
  drainAudit(options) {
    const { now, ...members } = given(options)
    const { lines, last_seq: lastSeq } = this.operate({ drain_audit: members }, { now })
    return Object.freeze({ lines, lastSeq: BigInt(lastSeq) })
  }

  /**
   * Confirms that every audit record up to this one is written: the engine forgets them.
   *
   * @param {bigint} seq
   * @param {Timed} [options]
   * @returns {void}
   */
  acknowledgeAudit(seq, options) {
    if (typeof seq !== 'bigint') throw new TypeError('the number of a record is a bigint')
    this.operate({ acknowledge_audit: { seq } }, options)
  }

  /**
   * Hands out entries of the journal of inputs, oldest first. They stay until `acknowledgeJournal` confirms them. There are
   * none unless the limits `journalEntriesMax` and `journalBytesMax` give it room. Requests stand in them in the clear.
   *
   * @param {Timed & { max?: number }} [options] `max`: how many at the most; left out, 1,000, and never more than 10,000.
   * @returns {Readonly<JournalBatch>}
   * @throws {FallgateError}
   */
  drainJournal(options) {
    const { now, ...members } = given(options)
    const { lines, last_n: lastN } = this.operate({ drain_journal: members }, { now })
    return Object.freeze({ lines, lastN: BigInt(lastN) })
  }

  /**
   * Confirms that every entry of the journal up to this one is written: the engine forgets them.
   *
   * @param {bigint} n
   * @param {Timed} [options]
   * @returns {void}
   */
  acknowledgeJournal(n, options) {
    if (typeof n !== 'bigint') throw new TypeError('the number of an entry is a bigint')
    this.operate({ acknowledge_journal: { n } }, options)
  }

  /**
   * Adds an audit record of where the chain has come to.
   *
   * @param {Timed} [options]
   * @returns {Readonly<Head>} That: to be signed, and kept elsewhere.
   */
  checkpoint(options) {
    const { count, head } = this.operate({ checkpoint: {} }, options)
    return Object.freeze({ count: BigInt(count), head })
  }

  /**
   * Decides on an action with `audit: confirmed`: the first of two calls. An allow waits, and is denied until then, while its
   * record is drained, written and acknowledged; then `confirmDecision` gives it. On any other action it decides.
   *
   * @param {Readonly<Record<string, any>>} request An AuthZEN evaluation request.
   * @param {Timed} [options]
   * @returns {Readonly<PendingAnswer>}
   */
  decidePending(request, options) {
    return answer(this.operate({ decide_pending: { request } }, options))
  }

  /**
   * Gives what waited, where its record is acknowledged and what is true by now allows the same.
   *
   * @param {string} pending What `decidePending` gave to ask for.
   * @param {Timed} [options]
   * @returns {Readonly<PendingAnswer>}
   */
  confirmDecision(pending, options) {
    return answer(this.operate({ confirm_decision: { pending } }, options))
  }

  /**
   * Stages a bundle beside the active one, whose `rollout` governs what follows.
   *
   * @param {string | Uint8Array} bundle The bundle, or the envelope that it is signed in, to the byte.
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  stage(bundle, options) {
    this.operate({ stage: { bundle: textOf(bundle) } }, options)
  }

  /**
   * Moves the rollout on to its next step without waiting for the time. All else it still waits for.
   *
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError} with the code of what it waits for.
   */
  promote(options) {
    this.operate({ promote: {} }, options)
  }

  /**
   * Abandons the candidate; or goes back to a bundle that was active here before.
   *
   * @param {Timed & { to?: string }} [options] `to`: the digest of the bundle to go back to.
   * @returns {void}
   * @throws {FallgateError}
   */
  rollBack(options) {
    const { now, ...members } = given(options)
    this.operate({ roll_back: members }, { now })
  }

  /**
   * Takes a message of a control feed.
   *
   * @param {string | Uint8Array} message The envelope that it is signed in, to the byte.
   * @param {Timed} [options]
   * @returns {Readonly<Applied>}
   * @throws {FallgateError}
   */
  apply(message, options) {
    return /** @type {Readonly<Applied>} */ (this.operate({ apply: { message: textOf(message) } }, options))
  }

  /**
   * Says what the request of a decision turned out to be, for the indicators.
   *
   * @param {string} decision The decision's `id`.
   * @param {DecisionLabel} label
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  labelDecision(decision, label, options) {
    this.operate({ label_decision: { decision, label } }, options)
  }

  /**
   * Says whether there was a reason to enter a posture.
   *
   * @param {number} trigger The `id` of the event `posture_entered`.
   * @param {TriggerLabel} label
   * @param {Timed} [options]
   * @returns {void}
   * @throws {FallgateError}
   */
  labelTrigger(trigger, label, options) {
    this.operate({ label_trigger: { trigger, label } }, options)
  }

  /**
   * Reports how often the host was asked to do something since the last report, at its own count.
   *
   * @param {number} count
   * @param {Timed} [options]
   * @returns {void}
   */
  reportAttempts(count, options) {
    this.operate({ report_attempts: { count } }, options)
  }

  /**
   * Reports whether an obligation was fulfilled.
   *
   * @param {boolean} done
   * @param {Timed} [options]
   * @returns {void}
   */
  reportMitigation(done, options) {
    this.operate({ report_mitigation: { done } }, options)
  }

  /**
   * Reports how long a decision took, at the host's own clock.
   *
   * @param {'allow' | 'deny'} effect What the decision did.
   * @param {bigint} nanos Nanoseconds, as two readings of `process.hrtime.bigint()` differ.
   * @param {Timed} [options]
   * @returns {void}
   */
  recordLatency(effect, nanos, options) {
    if (typeof nanos !== 'bigint') throw new TypeError('nanoseconds are a bigint')
    this.operate({ record_latency: { effect, nanos } }, options)
  }

  /**
   * What was measured so far, and the same as OpenMetrics text for a scrape.
   *
   * @param {Timed} [options]
   * @returns {Readonly<Metrics>}
   */
  metrics(options) {
    return /** @type {Readonly<Metrics>} */ (this.operate({ metrics: {} }, options))
  }

  /**
   * The service-level indicators, from what the engine saw and from labels.
   *
   * @param {Timed} [options]
   * @returns {Readonly<Record<string, any>>} Each by its name.
   */
  slis(options) {
    return this.operate({ slis: {} }, options)
  }
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
 * A decision in two calls, with whether it allows.
 *
 * @param {Readonly<Record<string, any>>} outcome
 * @returns {Readonly<PendingAnswer>}
 */
function answer({ decision, pending, seq }) {
  const allowed = decision.decision === true
  return Object.freeze({ allowed, decision, pending, seq: seq === undefined ? undefined : BigInt(seq) })
}

/**
 * A document as text.
 *
 * @param {string | Uint8Array} document
 * @returns {string}
 */
function textOf(document) {
  return document instanceof Uint8Array ? new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(document) : document
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

exports.Operator = Operator
