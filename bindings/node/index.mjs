// The same package for `import`: one module behind both, so that an error is of one class whoever loaded it.

export { Decision, Denied, Engine, FallgateError } from './index.js'
