// quoratepb.Care: who fills the store of a member, and what it does about it. Members that are not
// Quorate answer Unimplemented.

import {
  type ActionsResponse,
  decodeActionsResponse,
  decodeForecastResponse,
  decodeQuotasResponse,
  decodeUsageResponse,
  decodeWritersResponse,
  encodeActionsRequest,
  encodeForecastRequest,
  encodeQuotasRequest,
  encodeUsageRequest,
  encodeWritersRequest,
  type ForecastResponse,
  type QuotasResponse,
  type UsageRequestInit,
  type UsageResponse,
  type WritersRequestInit,
  type WritersResponse,
} from "../wire/messages/quorate.ts";
import { Paths } from "../wire/services.ts";
import type { Caller, CallOptions, UnaryMethod } from "./caller.ts";

const usage: UnaryMethod<UsageRequestInit, UsageResponse> = {
  path: Paths.Care.Usage,
  effect: "read",
  encode: encodeUsageRequest,
  decode: decodeUsageResponse,
};
const writers: UnaryMethod<WritersRequestInit, WritersResponse> = {
  path: Paths.Care.Writers,
  effect: "read",
  encode: encodeWritersRequest,
  decode: decodeWritersResponse,
};
const forecast: UnaryMethod<object, ForecastResponse> = {
  path: Paths.Care.Forecast,
  effect: "read",
  encode: encodeForecastRequest,
  decode: decodeForecastResponse,
};
const actions: UnaryMethod<object, ActionsResponse> = {
  path: Paths.Care.Actions,
  effect: "read",
  encode: encodeActionsRequest,
  decode: decodeActionsResponse,
};

const quotas: UnaryMethod<object, QuotasResponse> = {
  path: Paths.Care.Quotas,
  effect: "read",
  encode: encodeQuotasRequest,
  decode: decodeQuotasResponse,
};

export class Care {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** What lies below a prefix, and patterns that explain why it grows. */
  usage(request: UsageRequestInit, options?: CallOptions): Promise<UsageResponse> {
    return this.#caller.unary(usage, request, options);
  }

  /** Who writes to this member, busiest first. */
  writers(request: WritersRequestInit, options?: CallOptions): Promise<WritersResponse> {
    return this.#caller.unary(writers, request, options);
  }

  /** When the quota is reached at the present rate. */
  forecast(options?: CallOptions): Promise<ForecastResponse> {
    return this.#caller.unary(forecast, {}, options);
  }

  /** The quotas of prefixes, and what is used of them. */
  quotas(options?: CallOptions): Promise<QuotasResponse> {
    return this.#caller.unary(quotas, {}, options);
  }

  /** What self-care has done, newest last. */
  actions(options?: CallOptions): Promise<ActionsResponse> {
    return this.#caller.unary(actions, {}, options);
  }
}
