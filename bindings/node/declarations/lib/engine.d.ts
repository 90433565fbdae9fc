export { Decision };
export { Denied };
export { Engine };
export { FallgateError };
import { Decision, deeplyFrozen, fieldsOf } from './decision.js';
import { Denied, FallgateError, native } from './failures.js';
export type Obligation = import('./decision.js').Obligation;
export type Request = import('./words.js').Request;
export type Now = import('./words.js').Now;
export type Timed = import('./words.js').Timed;
export type Status = import('./words.js').Status;
export type Observed = import('./words.js').Observed;
export type Options = import('./words.js').Options;
export type OpenOptions = import('./words.js').OpenOptions;
export type Event = import('./words.js').Event;
export type Counters = import('./words.js').Counters;
export type Explanation = import('./words.js').Explanation;
export type DrillReport = import('./words.js').DrillReport;
export type ObligationHandler = import('./words.js').ObligationHandler;
export type EnforceOptions = import('./words.js').EnforceOptions;
export type Answer = import('./words.js').Answer;
export type Operation = import('./words.js').Operation;
export type Quarry = import('./words.js').Quarry;
export type QuarantineTerms = import('./words.js').QuarantineTerms;
export type InScope = import('./words.js').InScope;
export type Proof = import('./words.js').Proof;
export type Approved = import('./words.js').Approved;
export type Overview = import('./words.js').Overview;
export type Restored = import('./words.js').Restored;
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
/** A policy decision point inside this process, and of this thread: a worker opens its own. */
declare class Engine {
    #private;
    /**
     * An engine without a bundle: it denies everything with `no_policy`.
     *
     * @param {Options} [options]
     */
    constructor(options?: Options);
    /**
     * An engine with an active bundle.
     *
     * @param {string | Uint8Array | object} pack A pack's folder, a bundle's file, a bundle's bytes, or a pack's document.
     * @param {OpenOptions} [options]
     * @returns {Engine}
     * @throws {FallgateError} for a pack that cannot be read or is refused.
     */
    static open(pack: string | Uint8Array | object, options?: OpenOptions): Engine;
    /**
     * The two clocks of this machine as they stand now.
     *
     * @returns {Readonly<Now>}
     */
    static now(): Readonly<Now>;
    /**
     * Makes a bundle the active one. The one before decides until then, and stays where this throws.
     *
     * @param {string | Uint8Array | object} pack A pack's folder, a bundle's file, a bundle's bytes, or a pack's document.
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} for a pack that cannot be read or is refused.
     */
    activate(pack: string | Uint8Array | object, options?: Timed): void;
    /**
     * Takes a report about a signal, and says what became of it.
     *
     * @param {string} signal
     * @param {Status} status
     * @param {Timed & { observedAt?: bigint }} [options] `observedAt`: when it was seen, on the monotonic clock.
     * @returns {Observed}
     */
    observe(signal: string, status: Status, options?: Timed & {
        observedAt?: bigint;
    }): Observed;
    /**
     * Decides. It throws only where `now` makes no sense: whatever else is wrong is a deny with its reason.
     *
     * @param {Request} request
     * @param {Timed} [options]
     * @returns {Decision}
     */
    decide(request: Request, options?: Timed): Decision;
    /**
     * Decides on the text or the bytes of an AuthZEN evaluation request.
     *
     * @param {string | Uint8Array} request
     * @param {Timed} [options]
     * @returns {Decision}
     */
    decideJson(request: string | Uint8Array, options?: Timed): Decision;
    /**
     * Decides on many requests at one time.
     *
     * @param {Iterable<Request>} requests
     * @param {Timed} [options]
     * @returns {Decision[]} In the order of the requests.
     */
    decideMany(requests: Iterable<Request>, options?: Timed): Decision[];
    /**
     * The same on a thread of Node's pool. The requests are read before this returns.
     *
     * @param {Iterable<Request>} requests
     * @param {Timed} [options]
     * @returns {Promise<Decision[]>} In the order of the requests.
     */
    decideManyAsync(requests: Iterable<Request>, options?: Timed): Promise<Decision[]>;
    /**
     * Decides, fulfils the obligations, and throws for whatever is not an allow. An obligation without a handler, or whose
     * handler throws or gives a promise, denies.
     *
     * @param {Request} request
     * @param {EnforceOptions} [options] `obligations`: by type of obligation, what fulfils it.
     * @returns {Decision} An allow.
     * @throws {Denied}
     */
    enforce(request: Request, options?: EnforceOptions): Decision;
    /**
     * The same with handlers that may give promises: each is waited for.
     *
     * @param {Request} request
     * @param {EnforceOptions} [options] `obligations`: by type of obligation, what fulfils it.
     * @returns {Promise<Decision>} An allow.
     * @throws {Denied}
     */
    enforceAsync(request: Request, options?: EnforceOptions): Promise<Decision>;
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
    authzen(path: string, body: string | Uint8Array, options?: Timed): Readonly<Answer>;
    /**
     * The metadata of the decision point at this address, to be served at `/.well-known/authzen-configuration`. The address is
     * the host's to say, never a request's.
     *
     * @param {string} address
     * @returns {Readonly<Record<string, string>>}
     * @throws {FallgateError} for an address that identifies no decision point.
     */
    static authzenMetadata(address: string): Readonly<Record<string, string>>;
    /**
     * Explains what `decide` would say, without an effect on anything.
     *
     * @param {Request} request
     * @param {Timed} [options]
     * @returns {Explanation}
     */
    explain(request: Request, options?: Timed): Explanation;
    /**
     * Does an operation, and says what it came to. The methods that are named after operations call it.
     *
     * @param {Operation | string | Uint8Array} operation An object with one member, named after what is done; or its JSON.
     * @param {Timed} [options]
     * @returns {Readonly<Record<string, any>>} Empty where there is nothing to say but that it was done.
     * @throws {FallgateError} where it was not done, with the code that says why: `malformed_operation` for what is none.
     */
    operate(operation: Operation | string | Uint8Array, options?: Timed): Readonly<Record<string, any>>;
    /**
     * The posture that is in force, everywhere or in a scope such as `tenant:acme`, as of the last call that told the engine
     * the time; null where no bundle is active.
     *
     * @param {string} [scope]
     * @returns {string | null}
     */
    posture(scope?: string): string | null;
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
     * How things stand, for people who have to act. What is due is done first.
     *
     * @param {Timed} [options]
     * @returns {Readonly<Overview>}
     */
    overview(options?: Timed): Readonly<Overview>;
    /**
     * Lets time alone do what is due: signals expire, a validity ends. Due at `nextDeadline` at the latest, so that events
     * come in time even when nobody asks.
     *
     * @param {Timed} [options]
     * @returns {void}
     */
    advance(options?: Timed): void;
    /**
     * Takes the two clocks as they stand now for right: the way out after they have parted.
     *
     * @param {Timed} [options]
     * @returns {void}
     */
    anchorClocks(options?: Timed): void;
    /**
     * When `advance` is due, at the latest, on the monotonic clock; null while time alone changes nothing.
     *
     * @returns {bigint | null}
     */
    nextDeadline(): bigint | null;
    /**
     * The oldest event that was not polled yet.
     *
     * @returns {Readonly<Event> | null}
     */
    pollEvent(): Readonly<Event> | null;
    /**
     * The events that were not polled yet, the oldest first. It ends where there are no more; it never waits.
     *
     * @returns {Generator<Readonly<Event>, void, undefined>}
     */
    events(): Generator<Readonly<Event>, void, undefined>;
    /**
     * What was counted so far.
     *
     * @returns {Readonly<Counters>}
     */
    counters(): Readonly<Counters>;
    /**
     * The status of a signal, as of the last call that told the engine the time; null where none is so named.
     *
     * @param {string} name
     * @returns {Status | null}
     */
    signal(name: string): Status | null;
    /**
     * The active bundle: its name, revision and identifier; null where none is active.
     *
     * @returns {Readonly<{ name: string, revision: number, id: string }> | null}
     */
    bundle(): Readonly<{
        name: string;
        revision: number;
        id: string;
    }> | null;
    /**
     * The active bundle's canonical bytes: what a worker, or another machine, opens to decide by the same policy.
     *
     * @returns {Buffer | null}
     */
    bundleBytes(): Buffer | null;
    /**
     * Runs a drill on a fresh engine with the active bundle. Nothing of this engine changes.
     *
     * @param {string | object} drill A drill's file, or its document.
     * @returns {DrillReport}
     * @throws {FallgateError} for a drill that cannot be read or is refused.
     */
    drill(drill: string | object): DrillReport;
    /**
     * Lets go of the bundle and of all that was observed. What is asked from then on is denied with `no_policy`; what
     * would tell the engine something throws with the code `closed`. Closing twice is fine.
     *
     * @returns {void}
     */
    close(): void;
    /** @returns {void} */
    [Symbol.dispose](): void;
    /** @returns {Promise<void>} */
    [Symbol.asyncDispose](): Promise<void>;
}
