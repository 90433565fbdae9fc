export { Operator };
export type Timed = import('./words.js').Timed;
export type Operation = import('./words.js').Operation;
export type Quarry = import('./words.js').Quarry;
export type QuarantineTerms = import('./words.js').QuarantineTerms;
export type InScope = import('./words.js').InScope;
export type Proof = import('./words.js').Proof;
export type Approved = import('./words.js').Approved;
export type Restored = import('./words.js').Restored;
export type CallOutcome = import('./words.js').CallOutcome;
export type AuditBatch = import('./words.js').AuditBatch;
export type JournalBatch = import('./words.js').JournalBatch;
export type DecisionLabel = import('./words.js').DecisionLabel;
export type Head = import('./words.js').Head;
export type Metrics = import('./words.js').Metrics;
export type TriggerLabel = import('./words.js').TriggerLabel;
export type PendingAnswer = import('./words.js').PendingAnswer;
export type Applied = import('./words.js').Applied;
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
declare class Operator {
    /**
     * Does an operation, and says what it came to.
     *
     * @abstract
     * @param {Operation | string | Uint8Array} _operation
     * @param {Timed} [_options]
     * @returns {Readonly<Record<string, any>>}
     */
    operate(_operation: Operation | string | Uint8Array, _options?: Timed): Readonly<Record<string, any>>;
    /**
     * Enters a posture. One that is entered already stays so.
     *
     * @param {string} posture
     * @param {InScope} [options]
     * @returns {void}
     * @throws {FallgateError} where the pack has no such posture or scope.
     */
    enterPosture(posture: string, options?: InScope): void;
    /**
     * Leaves a posture, where all that its pack demands for that holds.
     *
     * @param {string} posture
     * @param {InScope} [options]
     * @returns {void}
     * @throws {FallgateError} with the code of the first demand that is not met.
     */
    leavePosture(posture: string, options?: InScope): void;
    /**
     * Acknowledges a posture: it escalates no more until it is entered again.
     *
     * @param {string} posture
     * @param {InScope} [options]
     * @returns {void}
     * @throws {FallgateError} where it is not entered there.
     */
    acknowledgePosture(posture: string, options?: InScope): void;
    /**
     * Denies whatever is selected, whatever the rules say, until it is lifted or over.
     *
     * @param {Quarry} what
     * @param {Timed & QuarantineTerms} [options]
     * @returns {Quarry} What is quarantined then: everything, where there was no room for one more.
     * @throws {FallgateError}
     */
    quarantine(what: Quarry, options?: Timed & QuarantineTerms): Quarry;
    /**
     * Lifts a quarantine before its end.
     *
     * @param {Quarry} what
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} where it is not quarantined.
     */
    liftQuarantine(what: Quarry, options?: Timed): void;
    /**
     * Voids what was decided for a subject: after a password that was stolen, a role that was taken away. The next request is
     * evaluated anew.
     *
     * @param {{ readonly type: string, readonly id: string }} subject
     * @param {Timed & { before?: bigint }} [options] `before`: until when, inclusive, on the monotonic clock; left out, now.
     * @returns {void}
     */
    revoke(subject: {
        readonly type: string;
        readonly id: string;
    }, options?: Timed & {
        before?: bigint;
    }): void;
    /**
     * Proposes what takes approvals. It waits until it expires.
     *
     * @param {{ readonly [name: string]: import('./words.js').Value }} proposal The document that was signed.
     * @param {Timed & Proof} [options]
     * @returns {string} The proposal's id.
     * @throws {FallgateError}
     */
    propose(proposal: {
        readonly [name: string]: import('./words.js').Value;
    }, options?: Timed & Proof): string;
    /**
     * Approves a proposal. With the last approval that it takes, what was proposed is done.
     *
     * @param {string} proposal Its id.
     * @param {string} by Which approver it is.
     * @param {Timed & Proof} [options]
     * @returns {Readonly<Approved>}
     * @throws {FallgateError}
     */
    approve(proposal: string, by: string, options?: Timed & Proof): Readonly<Approved>;
    /**
     * Withdraws a proposal that waits: any approver may.
     *
     * @param {string} proposal Its id.
     * @param {string} by Which approver it is.
     * @param {Timed & Proof} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    withdraw(proposal: string, by: string, options?: Timed & Proof): void;
    /**
     * Ends an override before its time.
     *
     * @param {string} override The id of the proposal that granted it.
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} where no such override is in force.
     */
    revokeOverride(override: string, options?: Timed): void;
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
    setFlag(flag: string, options?: Timed & {
        for?: string;
    }): void;
    /**
     * Clears a flag. Its posture stays until somebody leaves it.
     *
     * @param {string} flag
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    clearFlag(flag: string, options?: Timed): void;
    /**
     * Exports what has to outlive the engine, sealed with its `stateKey`.
     *
     * @param {Timed} [options]
     * @returns {string} To be kept to the byte.
     * @throws {FallgateError} where the engine has no key.
     */
    exportState(options?: Timed): string;
    /**
     * Restores what was exported. What does not verify throws, and puts the strictest posture in force.
     *
     * @param {string | Uint8Array} state What `exportState` gave; empty where there is none.
     * @param {Timed & { leastSequence?: bigint }} [options] `leastSequence`: the lowest that is taken, for a host that
     *   remembers it.
     * @returns {Readonly<Restored>}
     * @throws {FallgateError}
     */
    restoreState(state: string | Uint8Array, options?: Timed & {
        leastSequence?: bigint;
    }): Readonly<Restored>;
    /**
     * Makes this engine the active one.
     *
     * @param {Timed} [options]
     * @returns {bigint} The epoch that it claims, to be published to the others.
     * @throws {FallgateError} where it has no `instance`.
     */
    takeOver(options?: Timed): bigint;
    /**
     * Takes in that an engine claims to be the active one. Two that do are found out, and are both the stricter for it.
     *
     * @param {bigint} epoch
     * @param {string} instance
     * @param {Timed} [options]
     * @returns {void}
     */
    witnessEpoch(epoch: bigint, instance: string, options?: Timed): void;
    /**
     * Gives up being the active one. The posture stays what it is.
     *
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} where it is not active.
     */
    resign(options?: Timed): void;
    /**
     * Asks a guard, by the name of its signal, whether a call may be made.
     *
     * @param {string} signal
     * @param {Timed & { key?: string }} [options] `key`: what a limiter tells calls apart by.
     * @returns {bigint} The permit to report.
     * @throws {FallgateError} where the call is not to be made: its `code` says why, as `open`, `full` or `used_up`.
     */
    acquire(signal: string, options?: Timed & {
        key?: string;
    }): bigint;
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
    report(signal: string, permit: bigint, outcome: CallOutcome, options?: Timed & {
        took?: string;
    }): 'taken' | 'ignored';
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
    retry(signal: string, permit: bigint, outcome: string, options?: Timed): number;
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
    firstSeen(signal: string, key: string, madeAt: Date | string, options?: Timed): void;
    /**
     * Keeps every call away from the dependency of a breaker, until it is released.
     *
     * @param {string} signal
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} where it is no breaker.
     */
    forceOpen(signal: string, options?: Timed): void;
    /**
     * Lets go of a breaker that was forced open: it is half-open then.
     *
     * @param {string} signal
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    release(signal: string, options?: Timed): void;
    /**
     * Hands out audit records, oldest first. They stay until `acknowledgeAudit` confirms them, and come again until then. The
     * sinks of `fallgate/audit` do both.
     *
     * @param {Timed & { max?: number }} [options] `max`: how many at the most; left out, 1,000, and never more than 10,000.
     * @returns {Readonly<AuditBatch>}
     * @throws {FallgateError}
     */
    drainAudit(options?: Timed & {
        max?: number;
    }): Readonly<AuditBatch>;
    /**
     * Confirms that every audit record up to this one is written: the engine forgets them.
     *
     * @param {bigint} seq
     * @param {Timed} [options]
     * @returns {void}
     */
    acknowledgeAudit(seq: bigint, options?: Timed): void;
    /**
     * Hands out entries of the journal of inputs, oldest first. They stay until `acknowledgeJournal` confirms them. There are
     * none unless the limits `journalEntriesMax` and `journalBytesMax` give it room. Requests stand in them in the clear.
     *
     * @param {Timed & { max?: number }} [options] `max`: how many at the most; left out, 1,000, and never more than 10,000.
     * @returns {Readonly<JournalBatch>}
     * @throws {FallgateError}
     */
    drainJournal(options?: Timed & {
        max?: number;
    }): Readonly<JournalBatch>;
    /**
     * Confirms that every entry of the journal up to this one is written: the engine forgets them.
     *
     * @param {bigint} n
     * @param {Timed} [options]
     * @returns {void}
     */
    acknowledgeJournal(n: bigint, options?: Timed): void;
    /**
     * Adds an audit record of where the chain has come to.
     *
     * @param {Timed} [options]
     * @returns {Readonly<Head>} That: to be signed, and kept elsewhere.
     */
    checkpoint(options?: Timed): Readonly<Head>;
    /**
     * Decides on an action with `audit: confirmed`: the first of two calls. An allow waits, and is denied until then, while its
     * record is drained, written and acknowledged; then `confirmDecision` gives it. On any other action it decides.
     *
     * @param {Readonly<Record<string, any>>} request An AuthZEN evaluation request.
     * @param {Timed} [options]
     * @returns {Readonly<PendingAnswer>}
     */
    decidePending(request: Readonly<Record<string, any>>, options?: Timed): Readonly<PendingAnswer>;
    /**
     * Gives what waited, where its record is acknowledged and what is true by now allows the same.
     *
     * @param {string} pending What `decidePending` gave to ask for.
     * @param {Timed} [options]
     * @returns {Readonly<PendingAnswer>}
     */
    confirmDecision(pending: string, options?: Timed): Readonly<PendingAnswer>;
    /**
     * Stages a bundle beside the active one, whose `rollout` governs what follows.
     *
     * @param {string | Uint8Array} bundle The bundle, or the envelope that it is signed in, to the byte.
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    stage(bundle: string | Uint8Array, options?: Timed): void;
    /**
     * Moves the rollout on to its next step without waiting for the time. All else it still waits for.
     *
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} with the code of what it waits for.
     */
    promote(options?: Timed): void;
    /**
     * Abandons the candidate; or goes back to a bundle that was active here before.
     *
     * @param {Timed & { to?: string }} [options] `to`: the digest of the bundle to go back to.
     * @returns {void}
     * @throws {FallgateError}
     */
    rollBack(options?: Timed & {
        to?: string;
    }): void;
    /**
     * Takes a message of a control feed.
     *
     * @param {string | Uint8Array} message The envelope that it is signed in, to the byte.
     * @param {Timed} [options]
     * @returns {Readonly<Applied>}
     * @throws {FallgateError}
     */
    apply(message: string | Uint8Array, options?: Timed): Readonly<Applied>;
    /**
     * Says what the request of a decision turned out to be, for the indicators.
     *
     * @param {string} decision The decision's `id`.
     * @param {DecisionLabel} label
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    labelDecision(decision: string, label: DecisionLabel, options?: Timed): void;
    /**
     * Says whether there was a reason to enter a posture.
     *
     * @param {number} trigger The `id` of the event `posture_entered`.
     * @param {TriggerLabel} label
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError}
     */
    labelTrigger(trigger: number, label: TriggerLabel, options?: Timed): void;
    /**
     * Reports how often the host was asked to do something since the last report, at its own count.
     *
     * @param {number} count
     * @param {Timed} [options]
     * @returns {void}
     */
    reportAttempts(count: number, options?: Timed): void;
    /**
     * Reports whether an obligation was fulfilled.
     *
     * @param {boolean} done
     * @param {Timed} [options]
     * @returns {void}
     */
    reportMitigation(done: boolean, options?: Timed): void;
    /**
     * Reports how long a decision took, at the host's own clock.
     *
     * @param {'allow' | 'deny'} effect What the decision did.
     * @param {bigint} nanos Nanoseconds, as two readings of `process.hrtime.bigint()` differ.
     * @param {Timed} [options]
     * @returns {void}
     */
    recordLatency(effect: 'allow' | 'deny', nanos: bigint, options?: Timed): void;
    /**
     * What was measured so far, and the same as OpenMetrics text for a scrape.
     *
     * @param {Timed} [options]
     * @returns {Readonly<Metrics>}
     */
    metrics(options?: Timed): Readonly<Metrics>;
    /**
     * The service-level indicators, from what the engine saw and from labels.
     *
     * @param {Timed} [options]
     * @returns {Readonly<Record<string, any>>} Each by its name.
     */
    slis(options?: Timed): Readonly<Record<string, any>>;
}
