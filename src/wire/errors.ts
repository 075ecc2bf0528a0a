// The 63 errors that clients know by their exact text. They are compared by identity; the key is
// etcd's name without `Err`.

import { Code, RpcError } from "./status.ts";

const CANCELED = {
  Canceled: "request canceled",
  WatchCanceled: "watch canceled",
} as const;

const DATA_LOSS = {
  Corrupt: "corrupt cluster",
} as const;

const DEADLINE_EXCEEDED = {
  DeadlineExceeded: "context deadline exceeded",
} as const;

const FAILED_PRECONDITION = {
  AuthNotEnabled: "authentication is not enabled",
  BadLeaderTransferee: "bad leader transferee",
  ClusterIDMismatch: "cluster ID mismatch",
  ClusterVersionUnavailable: "cluster version not found during downgrade",
  DowngradeInProcess: "cluster has a downgrade job in progress",
  LearnerNotReady: "can only promote a learner member which is in sync with leader",
  LeaseExist: "lease already exists",
  MemberExist: "member ID already exist",
  MemberNotEnoughStarted: "re-configuration failed due to not enough started members",
  MemberNotLearner: "can only promote a learner member",
  NoInflightDowngrade: "no inflight downgrade job",
  NotCapable: "not capable",
  NotLeader: "not leader",
  NotSupportedForLearner: "rpc not supported for learner",
  PeerURLExist: "Peer URLs already exists",
  PermissionNotGranted: "permission is not granted to the role",
  RoleAlreadyExist: "role name already exists",
  RoleNotFound: "role name not found",
  RoleNotGranted: "role is not granted to the user",
  RootRoleNotExist: "root user does not have root role",
  RootUserNotExist: "root user does not exist",
  TooManyLearners: "too many learner members in cluster",
  UserAlreadyExist: "user name already exists",
  UserNotFound: "user name not found",
} as const;

const INVALID_ARGUMENT = {
  AuthFailed: "authentication failed, invalid user ID or password",
  AuthOldRevision: "revision of auth store is old",
  DuplicateKey: "duplicate key given in txn request",
  EmptyKey: "key is not provided",
  InvalidAuthMgmt: "invalid auth management",
  InvalidClientAPIVersion: "invalid client api version",
  InvalidDowngradeTargetVersion: "invalid downgrade target version",
  InvalidSortOption: "invalid sort option",
  KeyNotFound: "key not found",
  LeaseProvided: "lease is provided",
  MemberBadURLs: "given member URLs are invalid",
  PermissionNotGiven: "permission not given",
  RequestTooLarge: "request is too large",
  RoleEmpty: "role name is empty",
  TooManyOps: "too many operations in txn request",
  UserEmpty: "user name is empty",
  ValueProvided: "value is provided",
  WrongDowngradeVersionFormat: "wrong downgrade target version format",
} as const;

const NOT_FOUND = {
  LeaseNotFound: "requested lease not found",
  MemberNotFound: "member not found",
} as const;

const OUT_OF_RANGE = {
  Compacted: "mvcc: required revision has been compacted",
  FutureRev: "mvcc: required revision is a future revision",
  LeaseTTLTooLarge: "too large lease TTL",
} as const;

const PERMISSION_DENIED = {
  PermissionDenied: "permission denied",
} as const;

const RESOURCE_EXHAUSTED = {
  NoSpace: "mvcc: database space exceeded",
  RequestTooManyRequests: "too many requests",
} as const;

const UNAUTHENTICATED = {
  InvalidAuthToken: "invalid auth token",
} as const;

const UNAVAILABLE = {
  LeaderChanged: "leader changed",
  NoLeader: "no leader",
  Stopped: "server stopped",
  Timeout: "request timed out",
  TimeoutDueToConnectionLost: "request timed out, possibly due to connection lost",
  TimeoutDueToLeaderFail: "request timed out, possibly due to previous leader failure",
  TimeoutWaitAppliedIndex: "request timed out, waiting for the applied index took too long",
  Unhealthy: "unhealthy cluster",
} as const;

export type ErrorName =
  | keyof typeof CANCELED
  | keyof typeof DATA_LOSS
  | keyof typeof DEADLINE_EXCEEDED
  | keyof typeof FAILED_PRECONDITION
  | keyof typeof INVALID_ARGUMENT
  | keyof typeof NOT_FOUND
  | keyof typeof OUT_OF_RANGE
  | keyof typeof PERMISSION_DENIED
  | keyof typeof RESOURCE_EXHAUSTED
  | keyof typeof UNAUTHENTICATED
  | keyof typeof UNAVAILABLE;

export const Errors: Readonly<Record<ErrorName, RpcError>> = {
  ...make(Code.Canceled, CANCELED),
  ...make(Code.DataLoss, DATA_LOSS),
  ...make(Code.DeadlineExceeded, DEADLINE_EXCEEDED),
  ...make(Code.FailedPrecondition, FAILED_PRECONDITION),
  ...make(Code.InvalidArgument, INVALID_ARGUMENT),
  ...make(Code.NotFound, NOT_FOUND),
  ...make(Code.OutOfRange, OUT_OF_RANGE),
  ...make(Code.PermissionDenied, PERMISSION_DENIED),
  ...make(Code.ResourceExhausted, RESOURCE_EXHAUSTED),
  ...make(Code.Unauthenticated, UNAUTHENTICATED),
  ...make(Code.Unavailable, UNAVAILABLE),
};

function make<Name extends string>(
  code: Code,
  texts: Readonly<Record<Name, string>>,
): Record<Name, RpcError> {
  const errors = {} as Record<Name, RpcError>;
  for (const name of Object.keys(texts) as Name[]) {
    errors[name] = new RpcError(code, `etcdserver: ${texts[name]}`);
  }
  return errors;
}
