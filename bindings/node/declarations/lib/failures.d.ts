export { Denied };
export { FallgateError };
export { native };
export type Finding = {
    /**
     * `error` or `warning`.
     */
    severity: string;
    /**
     * The stable code.
     */
    code: string;
    /**
     * What is wrong: one line.
     */
    message: string;
    /**
     * How to repair it.
     */
    help: string | null;
    /**
     * Where in the pack's document: a JSON Pointer.
     */
    pointer: string | null;
    /**
     * Where in the pack's files.
     */
    places: readonly Place[];
};
export type Place = {
    file: string;
    line: number;
    column: number;
    end_line: number;
    end_column: number;
    /**
     * What is to be seen there.
     */
    label: string | null;
};
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
declare class FallgateError extends Error {
    /** The stable code, shared by all languages. @readonly */
    code: string;
    /** What is wrong with a policy, place by place; empty for other errors. @readonly */
    findings: readonly Finding[];
    /**
     * @param {string} code The stable code, shared by all languages.
     * @param {string} message What is wrong, and how to repair it.
     * @param {readonly Finding[]} [findings] What is wrong with a policy, place by place.
     */
    constructor(code: string, message: string, findings?: readonly Finding[]);
    /** @override */
    get name(): string;
}
/** Thrown by `enforce` for whatever is not an allow whose obligations are all fulfilled. */
declare class Denied extends FallgateError {
    /** What was decided. It may be an allow: then an obligation could not be fulfilled. @readonly */
    decision: import("./decision.js").Decision;
    cause: unknown;
    /**
     * @param {import('./decision.js').Decision} decision What was decided.
     * @param {string} [message] Why it is refused, where the decision itself does not say.
     * @param {unknown} [cause] What a handler threw.
     */
    constructor(decision: import('./decision.js').Decision, message?: string, cause?: unknown);
    /** @override */
    get name(): string;
}
/**
 * Calls the addon; its errors carry JSON, from which a `FallgateError` is made.
 *
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
declare function native<T>(call: () => T): T;
