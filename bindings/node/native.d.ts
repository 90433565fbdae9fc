/** What a JavaScript engine holds. */
interface Handle {}

/** A lock, held until it is released or forgotten. */
interface Lock {}

export declare class ExternalObject<T> {
  readonly '': {
    readonly '': unique symbol
    [K: symbol]: T
  }
}

/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/** Makes the bundle of these canonical bytes the active one. */
export declare function activateBytes(handle: ExternalObject<Handle>, bytes: Uint8Array, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** Makes the bundle of a pack's document the active one. */
export declare function activateDocument(handle: ExternalObject<Handle>, document: string, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** Makes the bundle of a pack's folder, or of a bundle's file, the active one. */
export declare function activatePath(handle: ExternalObject<Handle>, path: string, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** Makes a signed bundle the active one: a file, or its bytes, that enough keys of the trust root have signed. */
export declare function activateSigned(handle: ExternalObject<Handle>, path?: string | undefined | null, bytes?: Uint8Array | undefined | null, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** Lets time alone do what is due. */
export declare function advance(handle: ExternalObject<Handle>, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** Takes the two clocks as they stand now for right. */
export declare function anchorClocks(handle: ExternalObject<Handle>, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): void

/** One item of a batch: the text of a request, or why there is none. */
export interface Asked {
  /** The text. */
  request?: string
  /** What the JavaScript side found wrong. */
  refused?: string
}

/** Answers the bytes of a request at an endpoint: the status, the body and the reasons, as JSON. */
export declare function authzen(handle: ExternalObject<Handle>, path: string, body: Uint8Array, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** The metadata of the decision point at this address, as JSON. */
export declare function authzenMetadata(address: string): string

/** The active bundle's name, revision and identifier, as JSON. */
export declare function bundle(handle: ExternalObject<Handle>): string | null

/** The active bundle's canonical bytes: how another thread, or another machine, gets the same policy. */
export declare function bundleBytes(handle: ExternalObject<Handle>): Buffer | null

/** Lets go of the bundle and of all that was observed. What is asked from now on is denied. */
export declare function close(handle: ExternalObject<Handle>): void

/** What was counted so far, as JSON. */
export declare function counters(handle: ExternalObject<Handle>): string

/** An engine without a bundle. */
export declare function create(options: string, root?: Uint8Array | undefined | null): ExternalObject<Handle>

/** Decides on the text of a request. */
export declare function decide(handle: ExternalObject<Handle>, request: string, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** Decides on the bytes of a request. */
export declare function decideBytes(handle: ExternalObject<Handle>, request: Uint8Array, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** Decides on many requests on a thread of Node's pool; the decisions come as JSON, in the order of the requests. */
export declare function decideMany(handle: ExternalObject<Handle>, asked: Array<Asked>, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): Promise<string[]>

/**
 * Decides on a packed request: the first `length` of the bytes. Gives nothing where other bundles read requests by now than
 * those that it was packed for.
 */
export declare function decidePacked(handle: ExternalObject<Handle>, bytes: Uint8Array, length: number, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** Runs the drill of a document, and gives its report as JSON. */
export declare function drillDocument(handle: ExternalObject<Handle>, document: string): string

/** Runs the drill of a file, and gives its report as JSON. */
export declare function drillPath(handle: ExternalObject<Handle>, path: string): string

/** Explains what would be decided, as JSON. */
export declare function explain(handle: ExternalObject<Handle>, request: string, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** Whether those read requests now that it was learnt for. */
export declare function hasLearnt(handle: ExternalObject<Handle>, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): boolean

/** What a label of an answer stands for. */
export declare function label(handle: ExternalObject<Handle>, number: number): string | null

/** Takes note of who reads requests from now on, and forgets what was learnt for others. */
export declare function learn(handle: ExternalObject<Handle>): void

/** Locks a file, and makes it where there is none, for its owner's eyes. */
export declare function lockFile(path: string): ExternalObject<Lock>

/** The two clocks of this machine: the monotonic one, then the wall clock. */
export declare function machineNow(): [bigint, bigint]

/** The number by which a packed request may name an attribute, until another bundle is activated. */
export declare function nameNumber(handle: ExternalObject<Handle>, name: string): number | null

/** A decision that was never made, as JSON: what the default of every face must equal. */
export declare function neverDecided(): string

/** When `advance` is due, at the latest. */
export declare function nextDeadline(handle: ExternalObject<Handle>): bigint | null

/** Takes a report about a signal, and says what became of it. */
export declare function observe(handle: ExternalObject<Handle>, signal: string, status: string, observedAtNs?: bigint | undefined | null, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** Does an operation, as JSON, and gives what it came to, as JSON. */
export declare function operate(handle: ExternalObject<Handle>, operation: Uint8Array, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** How things stand, as JSON. */
export declare function overview(handle: ExternalObject<Handle>, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** The oldest event that was not polled yet, as JSON. */
export declare function pollEvent(handle: ExternalObject<Handle>): string | null

/** The posture that is in force, everywhere or in a scope; nothing where no bundle is active. */
export declare function posture(handle: ExternalObject<Handle>, scope?: string | undefined | null): string | null

/**
 * The deny of a request that the JavaScript side could not put into text, with what it found wrong.
 *
 * The decision is the core's own on bytes that are no request; only its detail is replaced.
 */
export declare function refuse(handle: ExternalObject<Handle>, detail: string, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): string

/** The error for an operation that the JavaScript side could not put into text, with what it found wrong. */
export declare function refuseOperation(handle: ExternalObject<Handle>, message: string): void

/**
 * How much of a request may be read, and how many bytes of an operation, as JSON: beyond it the core refuses whatever the
 * rest holds.
 */
export declare function requestLimits(handle: ExternalObject<Handle>): string

/** Takes a new trust root, in a file or as its bytes, and gives its version. */
export declare function rotateTrust(handle: ExternalObject<Handle>, path?: string | undefined | null, bytes?: Uint8Array | undefined | null, monotonicNs?: bigint | undefined | null, wallNs?: bigint | undefined | null): bigint

/** Runs the command line, and gives its exit code. The first argument is the program's name. */
export declare function runCommand(arguments: Array<string>): number

/** The status of a signal, as of the last call that told the engine the time. */
export declare function signal(handle: ExternalObject<Handle>, name: string): string | null

/** The version of the trust root that is held; nothing where the engine was made without one. */
export declare function trustVersion(handle: ExternalObject<Handle>): bigint | null

/** Releases a lock. Twice is fine. */
export declare function unlockFile(lock: ExternalObject<Lock>): void

/**
 * Which attributes of this type of an entity the active bundle looks at; nothing where it may look at all of them, and
 * while another one is in its rollout beside it.
 */
export declare function wanted(handle: ExternalObject<Handle>, entity: string, typeName: string): Array<string> | null
