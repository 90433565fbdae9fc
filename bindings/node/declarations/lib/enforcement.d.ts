export { PROBLEM };
export { checked };
export { problem };
export { settle };
import { Decision } from './decision.js';
export type Engine = import('./engine.js').Engine;
export type Request = import('./words.js').Request;
export type Obligation = import('./decision.js').Obligation;
export type Protection<Context extends readonly unknown[]> = {
    /**
     * What is asked of the engine. Whatever it
     * throws, or rejects with, is a refusal.
     */
    request: (...context: Context) => Request | Promise<Request>;
    /**
     * By type of obligation, what fulfils it. One without a handler, or whose handler throws or rejects, is a refusal.
     */
    obligations?: {
        readonly [type: string]: (obligation: Obligation, decision: Decision, ...context: Context) => unknown;
    };
};
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
declare function settle<Context extends readonly unknown[]>(engine: Engine, protection: Protection<Context>, context: Context): Promise<{
    allowed: boolean;
    decision: Decision;
}>;
/**
 * Fails at once where a plugin is set up so that it could protect nothing.
 *
 * @param {Engine} engine
 * @param {{ request?: unknown }} protection
 */
declare function checked(engine: Engine, protection: {
    request?: unknown;
}): void;
/** The media type of a refusal's body. */
declare const PROBLEM = "application/problem+json";
/**
 * The body of a refusal (RFC 9457). It names the decision, for whoever may read the log, and nothing of the policy.
 *
 * @param {Decision} decision
 */
declare function problem(decision: Decision): {
    type: string;
    title: string;
    status: number;
    instance: string;
};
