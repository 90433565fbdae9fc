export { Decision };
export { deeplyFrozen };
export { fieldsOf };
export type Obligation = {
    /**
     * Which obligation of the pack it is.
     */
    id: string;
    /**
     * What kind of thing is to be done.
     */
    type: string;
    /**
     * The particulars.
     */
    properties: unknown;
};
export type Fields = {
    allowed: boolean;
    reason: string;
    rule: string | null;
    bundle: string;
    revision: number;
    posture: string;
    override: string | null;
    obligations: readonly Obligation[];
    messages: readonly string[];
    degraded: readonly string[];
    expiresInMs: number;
    cached: boolean;
    informationLoss: boolean;
    id: string;
    detail: string | null;
};
export type EvaluationResponse = {
    decision: boolean;
    context: Record<string, unknown>;
};
/**
 * The answer to a request: frozen, and data alone. One that was never made is a deny.
 *
 * Ask `allowed`: an object is never falsy in JavaScript, so the decision itself says nothing in a condition.
 */
declare class Decision {
    /** Whether the request is granted. @readonly @type {boolean} */
    readonly allowed: boolean;
    /** Why: a stable code. @readonly @type {string} */
    readonly reason: string;
    /** The rule that decided, if one did. @readonly @type {string | null} */
    readonly rule: string | null;
    /** The bundle that decided; empty if there was none. @readonly @type {string} */
    readonly bundle: string;
    /** The bundle's revision. @readonly @type {number} */
    readonly revision: number;
    /** The posture that the request was under; empty if there was no bundle. @readonly @type {string} */
    readonly posture: string;
    /** The override that allowed it, by the id of its proposal. @readonly @type {string | null} */
    readonly override: string | null;
    /** What the host has to do along with it. @readonly @type {readonly Obligation[]} */
    readonly obligations: readonly Obligation[];
    /** What the rule that denied says against the request: the members of a Rego deny set. @readonly @type {readonly string[]} */
    readonly messages: readonly string[];
    /** The required signals that were not ok. @readonly @type {readonly string[]} */
    readonly degraded: readonly string[];
    /** For how many milliseconds the host may keep it; zero if not at all. @readonly @type {number} */
    readonly expiresInMs: number;
    /** Whether an earlier evaluation was used again. @readonly @type {boolean} */
    readonly cached: boolean;
    /** Whether the rule that decided declares that it may grant more when it knows less. @readonly @type {boolean} */
    readonly informationLoss: boolean;
    /** The identifier. @readonly @type {string} */
    readonly id: string;
    /** What exactly was wrong with the request, for a reason that concerns it. @readonly @type {string | null} */
    readonly detail: string | null;
    /**
     * @param {Readonly<Fields>} [fields] What it says; left out, a deny with the reason `internal_error`.
     * @param {string} [id] The identifier, where it is not the fields'.
     * @param {number} [expiresInMs] The life, where it is not the fields'.
     */
    constructor(fields?: Readonly<Fields>, id?: string, expiresInMs?: number);
    /**
     * The decision as an AuthZEN evaluation response, the same in every language.
     *
     * @returns {EvaluationResponse}
     */
    toJSON(): EvaluationResponse;
}
/**
 * The fields that the core's JSON of a decision says. What it does not say is as in a decision that was never made.
 *
 * @param {string} text
 * @returns {Readonly<Fields>}
 */
declare function fieldsOf(text: string): Readonly<Fields>;
/**
 * A value of JSON, frozen at every depth.
 *
 * @param {any} value
 * @returns {any}
 */
declare function deeplyFrozen(value: any): any;
