export { Decision };
export { Denied };
export { Engine };
export { FallgateError };
import { Decision, deeplyFrozen, fieldsOf } from './decision.js';
import { Denied, FallgateError, native } from './failures.js';
import { Operator } from './operator.js';
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
export type Overview = import('./words.js').Overview;
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
declare class Engine extends Operator {
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
     * Makes a signed bundle the active one. The one before decides until then, and stays where this throws.
     *
     * @param {string | Uint8Array} envelope A signed bundle's file, or its bytes, that enough keys of the trust root have signed.
     * @param {Timed} [options]
     * @returns {void}
     * @throws {FallgateError} for one that is refused, with the code that says why: `unsigned`, `under_signed`, `altered`;
     *   `untrusted` where the engine was opened without a trust root.
     */
    activateSigned(envelope: string | Uint8Array, options?: Timed): void;
    /**
     * Takes a new trust root, which as many keys of the held one have signed as that asks for. Where it revokes the active
     * bundle or too many of its signers, everything is denied until another is activated.
     *
     * @param {string | Uint8Array} envelope The root's file, or its bytes, as `fallgate keys trust --follow` writes it.
     * @param {Timed} [options]
     * @returns {bigint} Its version.
     * @throws {FallgateError} for one that is refused, with the code that says why. The held one stays.
     */
    rotateTrust(envelope: string | Uint8Array, options?: Timed): bigint;
    /**
     * The version of the trust root that is held; null where the engine was opened without one.
     *
     * @returns {bigint | null}
     */
    trustVersion(): bigint | null;
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
     * @override
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
