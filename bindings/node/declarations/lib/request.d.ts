export { Unreadable };
export { documentText };
export { operationText };
export { requestText };
/** Why a request cannot be put into text, and where: its path is put together on the way out. */
declare class Unreadable extends Error {
    /** @type {string[]} */
    path: string[];
    /** @param {string} what */
    constructor(what: string);
    /** The path and what is wrong there; names of attributes, never their values. */
    get detail(): string;
}
export type Reading = {
    bytes: number;
    depth: number;
    /**
     * The attributes that the policy looks at;
     * null for all.
     */
    wanted: (entity: string, type: string) => readonly string[] | null;
    /**
     * The same with the numbers that
     * the addon knows them by.
     */
    numbers: (entity: string, type: string) => ReadonlyMap<string, number> | null;
};
/**
 * The text of a request.
 *
 * @param {any} request
 * @param {Reading} reading
 * @returns {string}
 * @throws {Unreadable} for what has no single meaning.
 */
declare function requestText(request: any, reading: Reading): string;
/**
 * The text of a document: of a pack or a drill.
 *
 * @param {unknown} document
 * @param {{ bytes: number, depth: number }} limits
 * @returns {string}
 */
declare function documentText(document: unknown, limits: {
    bytes: number;
    depth: number;
}): string;
/**
 * The text of an operation; the message of an error says what no operation can hold.
 *
 * @param {object} operation
 * @param {{ bytes: number, depth: number }} limits
 * @returns {string}
 * @throws {Unreadable} with a `detail`.
 */
declare function operationText(operation: object, limits: {
    bytes: number;
    depth: number;
}): string;
