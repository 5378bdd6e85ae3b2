export { NoAnswer, RpcError, SubscriptionEnded } from "./errors.js";
export { Live, Subscription, type Subscribing } from "./live.js";
export * from "./methods.js";
export { pair, type Wish } from "./pair.js";
export * as repo from "./repo.js";
export { Toft, type BatchCall } from "./toft.js";
export type { Address } from "./wire.js";
