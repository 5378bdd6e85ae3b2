// What the code of `toft protocol gen --lang ts` is made on: `repo` of this package.
export type { Json } from "./methods.js";
export * from "./records.js";
export { DwnError, DwnTransport, type DwnSdk, type DwnSigner } from "./repo-dwn.js";
export { RpcTransport, type As } from "./repo-rpc.js";
