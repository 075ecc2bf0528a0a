// gRPC status codes and the error type of everything that a client is told.

export const Code = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/**
 * An answer that is an error: thrown and returned as a constant of `wire/errors.ts`, compared by
 * identity. It carries no stack on purpose: it is an expected outcome, made on the hot path.
 */
export class RpcError {
  readonly code: Code;
  /** The full text as sent in `grpc-message`. */
  readonly message: string;
  constructor(code: Code, message: string) {
    this.code = code;
    this.message = message;
  }
}
