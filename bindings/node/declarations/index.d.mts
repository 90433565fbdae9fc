export { Decision, Denied, Engine, FallgateError } from './index.js';
