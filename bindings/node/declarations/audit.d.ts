export { FileSink };
export type Head = import('./lib/words.js').Head;
export type Timed = import('./lib/words.js').Timed;
export type Operator = import('./lib/operator.js').Operator;
export type Link = {
    seq: bigint;
    prev: string;
    hash: string;
};
/**
 * A folder of files that only grow, as `fallgate serve --audit` writes it too: JSON Lines, for their owner's eyes alone. A
 * file is named after its first record (`audit-00000000000000000001.jsonl`); the chain goes on through all of them.
 */
declare class FileSink {
    #private;
    /**
     * Only `FileSink.open` calls it: what a folder holds has to be read first.
     *
     * @private
     * @param {string} folder
     * @param {number} fileBytesMax
     * @param {ReturnType<typeof addon.lockFile>} lock
     */
    private constructor();
    /**
     * Opens a folder, and makes it where there is none. Its last two files are read back: what they hold must be whole and
     * linked.
     *
     * @param {string} folder
     * @param {{ fileBytesMax?: number }} [options] `fileBytesMax`: at how many bytes the next file is begun; left out, 64 MiB.
     * @returns {Promise<FileSink>}
     * @throws {FallgateError} with the code `locked` where somebody else writes the folder, `chain_broken` where a chain was
     *   tampered with or its last write was cut off: keep it, look at it with `fallgate audit verify`, and begin elsewhere.
     */
    static open(folder: string, options?: {
        fileBytesMax?: number;
    }): Promise<FileSink>;
    /**
     * Where the chain on disk has come to: the `auditHead` of the engine that goes on with it.
     *
     * @returns {Readonly<Head>}
     */
    get head(): Readonly<Head>;
    /**
     * Writes records. Those that are there already are not written again.
     *
     * @param {readonly string[]} lines
     * @returns {Promise<Readonly<Head>>} Where the chain has come to, once they are on disk.
     * @throws {FallgateError} with the code `chain_broken` for records that do not follow. Whatever it throws, none of them is
     *   there.
     */
    append(lines: readonly string[]): Promise<Readonly<Head>>;
    /**
     * Takes over the records that the engine has, and confirms each batch once it is on disk.
     *
     * @param {Operator} engine
     * @param {Timed} [options]
     * @returns {Promise<number>} How many.
     */
    drain(engine: Operator, options?: Timed): Promise<number>;
    /**
     * Drains again and again until the signal aborts, and once more then. It keeps no process alive: a host that ends waits
     * for it first.
     *
     * @param {Operator} engine
     * @param {{ signal: AbortSignal, everyMs?: number, onError?: (error: unknown) => unknown }} options `onError`: is told where the
     *   disk does not take records, each time that this begins; they stay in the engine, and the next round tries again.
     * @returns {Promise<void>}
     * @throws {FallgateError} for a chain that does not fit.
     */
    run(engine: Operator, { signal, everyMs, onError }: {
        signal: AbortSignal;
        everyMs?: number;
        onError?: (error: unknown) => unknown;
    }): Promise<void>;
    /**
     * Lets go of the folder, after what is being written. Closing twice is fine; a closed sink writes no more.
     *
     * @returns {Promise<void>}
     */
    close(): Promise<void>;
    /** @returns {Promise<void>} */
    [Symbol.asyncDispose](): Promise<void>;
}
