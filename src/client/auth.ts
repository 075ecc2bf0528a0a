// The Auth service: users, roles and their permissions.

import {
  type AuthDisableRequestInit,
  type AuthDisableResponse,
  type AuthEnableRequestInit,
  type AuthEnableResponse,
  type AuthenticateRequestInit,
  type AuthenticateResponse,
  type AuthRoleAddRequestInit,
  type AuthRoleAddResponse,
  type AuthRoleDeleteRequestInit,
  type AuthRoleDeleteResponse,
  type AuthRoleGetRequestInit,
  type AuthRoleGetResponse,
  type AuthRoleGrantPermissionRequestInit,
  type AuthRoleGrantPermissionResponse,
  type AuthRoleListRequestInit,
  type AuthRoleListResponse,
  type AuthRoleRevokePermissionRequestInit,
  type AuthRoleRevokePermissionResponse,
  type AuthStatusRequestInit,
  type AuthStatusResponse,
  type AuthUserAddRequestInit,
  type AuthUserAddResponse,
  type AuthUserChangePasswordRequestInit,
  type AuthUserChangePasswordResponse,
  type AuthUserDeleteRequestInit,
  type AuthUserDeleteResponse,
  type AuthUserGetRequestInit,
  type AuthUserGetResponse,
  type AuthUserGrantRoleRequestInit,
  type AuthUserGrantRoleResponse,
  type AuthUserListRequestInit,
  type AuthUserListResponse,
  type AuthUserRevokeRoleRequestInit,
  type AuthUserRevokeRoleResponse,
  decodeAuthDisableResponse,
  decodeAuthEnableResponse,
  decodeAuthenticateResponse,
  decodeAuthRoleAddResponse,
  decodeAuthRoleDeleteResponse,
  decodeAuthRoleGetResponse,
  decodeAuthRoleGrantPermissionResponse,
  decodeAuthRoleListResponse,
  decodeAuthRoleRevokePermissionResponse,
  decodeAuthStatusResponse,
  decodeAuthUserAddResponse,
  decodeAuthUserChangePasswordResponse,
  decodeAuthUserDeleteResponse,
  decodeAuthUserGetResponse,
  decodeAuthUserGrantRoleResponse,
  decodeAuthUserListResponse,
  decodeAuthUserRevokeRoleResponse,
  encodeAuthDisableRequest,
  encodeAuthEnableRequest,
  encodeAuthenticateRequest,
  encodeAuthRoleAddRequest,
  encodeAuthRoleDeleteRequest,
  encodeAuthRoleGetRequest,
  encodeAuthRoleGrantPermissionRequest,
  encodeAuthRoleListRequest,
  encodeAuthRoleRevokePermissionRequest,
  encodeAuthStatusRequest,
  encodeAuthUserAddRequest,
  encodeAuthUserChangePasswordRequest,
  encodeAuthUserDeleteRequest,
  encodeAuthUserGetRequest,
  encodeAuthUserGrantRoleRequest,
  encodeAuthUserListRequest,
  encodeAuthUserRevokeRoleRequest,
} from "../wire/messages/rpc-auth.ts";
import type { Caller, CallOptions, UnaryMethod } from "./caller.ts";

const authEnable: UnaryMethod<AuthEnableRequestInit, AuthEnableResponse> = {
  path: "/etcdserverpb.Auth/AuthEnable",
  effect: "write",
  encode: encodeAuthEnableRequest,
  decode: decodeAuthEnableResponse,
};
const authDisable: UnaryMethod<AuthDisableRequestInit, AuthDisableResponse> = {
  path: "/etcdserverpb.Auth/AuthDisable",
  effect: "write",
  encode: encodeAuthDisableRequest,
  decode: decodeAuthDisableResponse,
};
const authStatus: UnaryMethod<AuthStatusRequestInit, AuthStatusResponse> = {
  path: "/etcdserverpb.Auth/AuthStatus",
  effect: "read",
  encode: encodeAuthStatusRequest,
  decode: decodeAuthStatusResponse,
};
const authenticate: UnaryMethod<AuthenticateRequestInit, AuthenticateResponse> = {
  path: "/etcdserverpb.Auth/Authenticate",
  effect: "write",
  encode: encodeAuthenticateRequest,
  decode: decodeAuthenticateResponse,
};
const userAdd: UnaryMethod<AuthUserAddRequestInit, AuthUserAddResponse> = {
  path: "/etcdserverpb.Auth/UserAdd",
  effect: "write",
  encode: encodeAuthUserAddRequest,
  decode: decodeAuthUserAddResponse,
};
const userGet: UnaryMethod<AuthUserGetRequestInit, AuthUserGetResponse> = {
  path: "/etcdserverpb.Auth/UserGet",
  effect: "read",
  encode: encodeAuthUserGetRequest,
  decode: decodeAuthUserGetResponse,
};
const userList: UnaryMethod<AuthUserListRequestInit, AuthUserListResponse> = {
  path: "/etcdserverpb.Auth/UserList",
  effect: "read",
  encode: encodeAuthUserListRequest,
  decode: decodeAuthUserListResponse,
};
const userDelete: UnaryMethod<AuthUserDeleteRequestInit, AuthUserDeleteResponse> = {
  path: "/etcdserverpb.Auth/UserDelete",
  effect: "write",
  encode: encodeAuthUserDeleteRequest,
  decode: decodeAuthUserDeleteResponse,
};
const userChangePassword: UnaryMethod<
  AuthUserChangePasswordRequestInit,
  AuthUserChangePasswordResponse
> = {
  path: "/etcdserverpb.Auth/UserChangePassword",
  effect: "write",
  encode: encodeAuthUserChangePasswordRequest,
  decode: decodeAuthUserChangePasswordResponse,
};
const userGrantRole: UnaryMethod<AuthUserGrantRoleRequestInit, AuthUserGrantRoleResponse> = {
  path: "/etcdserverpb.Auth/UserGrantRole",
  effect: "write",
  encode: encodeAuthUserGrantRoleRequest,
  decode: decodeAuthUserGrantRoleResponse,
};
const userRevokeRole: UnaryMethod<AuthUserRevokeRoleRequestInit, AuthUserRevokeRoleResponse> = {
  path: "/etcdserverpb.Auth/UserRevokeRole",
  effect: "write",
  encode: encodeAuthUserRevokeRoleRequest,
  decode: decodeAuthUserRevokeRoleResponse,
};
const roleAdd: UnaryMethod<AuthRoleAddRequestInit, AuthRoleAddResponse> = {
  path: "/etcdserverpb.Auth/RoleAdd",
  effect: "write",
  encode: encodeAuthRoleAddRequest,
  decode: decodeAuthRoleAddResponse,
};
const roleGet: UnaryMethod<AuthRoleGetRequestInit, AuthRoleGetResponse> = {
  path: "/etcdserverpb.Auth/RoleGet",
  effect: "read",
  encode: encodeAuthRoleGetRequest,
  decode: decodeAuthRoleGetResponse,
};
const roleList: UnaryMethod<AuthRoleListRequestInit, AuthRoleListResponse> = {
  path: "/etcdserverpb.Auth/RoleList",
  effect: "read",
  encode: encodeAuthRoleListRequest,
  decode: decodeAuthRoleListResponse,
};
const roleDelete: UnaryMethod<AuthRoleDeleteRequestInit, AuthRoleDeleteResponse> = {
  path: "/etcdserverpb.Auth/RoleDelete",
  effect: "write",
  encode: encodeAuthRoleDeleteRequest,
  decode: decodeAuthRoleDeleteResponse,
};
const roleGrantPermission: UnaryMethod<
  AuthRoleGrantPermissionRequestInit,
  AuthRoleGrantPermissionResponse
> = {
  path: "/etcdserverpb.Auth/RoleGrantPermission",
  effect: "write",
  encode: encodeAuthRoleGrantPermissionRequest,
  decode: decodeAuthRoleGrantPermissionResponse,
};
const roleRevokePermission: UnaryMethod<
  AuthRoleRevokePermissionRequestInit,
  AuthRoleRevokePermissionResponse
> = {
  path: "/etcdserverpb.Auth/RoleRevokePermission",
  effect: "write",
  encode: encodeAuthRoleRevokePermissionRequest,
  decode: decodeAuthRoleRevokePermissionResponse,
};

export class Auth {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** From now on all calls need a user; there must be one called root. */
  authEnable(options?: CallOptions): Promise<AuthEnableResponse> {
    return this.#caller.unary(authEnable, {}, options);
  }

  /** No call needs a user any more. */
  authDisable(options?: CallOptions): Promise<AuthDisableResponse> {
    return this.#caller.unary(authDisable, {}, options);
  }

  /** Whether authentication is on, and the revision of users and roles. */
  authStatus(options?: CallOptions): Promise<AuthStatusResponse> {
    return this.#caller.unary(authStatus, {}, options);
  }

  /** Changes a name and password for a token. */
  authenticate(
    request: AuthenticateRequestInit,
    options?: CallOptions,
  ): Promise<AuthenticateResponse> {
    return this.#caller.unary(authenticate, request, options);
  }

  /** Creates a user. */
  userAdd(request: AuthUserAddRequestInit, options?: CallOptions): Promise<AuthUserAddResponse> {
    return this.#caller.unary(userAdd, request, options);
  }

  /** The roles of a user. */
  userGet(request: AuthUserGetRequestInit, options?: CallOptions): Promise<AuthUserGetResponse> {
    return this.#caller.unary(userGet, request, options);
  }

  /** All users. */
  userList(options?: CallOptions): Promise<AuthUserListResponse> {
    return this.#caller.unary(userList, {}, options);
  }

  /** Deletes a user. */
  userDelete(
    request: AuthUserDeleteRequestInit,
    options?: CallOptions,
  ): Promise<AuthUserDeleteResponse> {
    return this.#caller.unary(userDelete, request, options);
  }

  /** Gives a user a new password. */
  userChangePassword(
    request: AuthUserChangePasswordRequestInit,
    options?: CallOptions,
  ): Promise<AuthUserChangePasswordResponse> {
    return this.#caller.unary(userChangePassword, request, options);
  }

  /** Gives a user a role. */
  userGrantRole(
    request: AuthUserGrantRoleRequestInit,
    options?: CallOptions,
  ): Promise<AuthUserGrantRoleResponse> {
    return this.#caller.unary(userGrantRole, request, options);
  }

  /** Takes a role from a user. */
  userRevokeRole(
    request: AuthUserRevokeRoleRequestInit,
    options?: CallOptions,
  ): Promise<AuthUserRevokeRoleResponse> {
    return this.#caller.unary(userRevokeRole, request, options);
  }

  /** Creates a role, without permissions. */
  roleAdd(request: AuthRoleAddRequestInit, options?: CallOptions): Promise<AuthRoleAddResponse> {
    return this.#caller.unary(roleAdd, request, options);
  }

  /** The permissions of a role. */
  roleGet(request: AuthRoleGetRequestInit, options?: CallOptions): Promise<AuthRoleGetResponse> {
    return this.#caller.unary(roleGet, request, options);
  }

  /** All roles. */
  roleList(options?: CallOptions): Promise<AuthRoleListResponse> {
    return this.#caller.unary(roleList, {}, options);
  }

  /** Deletes a role, and takes it from its users. */
  roleDelete(
    request: AuthRoleDeleteRequestInit,
    options?: CallOptions,
  ): Promise<AuthRoleDeleteResponse> {
    return this.#caller.unary(roleDelete, request, options);
  }

  /** Lets a role read or write a range of keys. */
  roleGrantPermission(
    request: AuthRoleGrantPermissionRequestInit,
    options?: CallOptions,
  ): Promise<AuthRoleGrantPermissionResponse> {
    return this.#caller.unary(roleGrantPermission, request, options);
  }

  /** Takes a permission from a role; the range must be given as it was granted. */
  roleRevokePermission(
    request: AuthRoleRevokePermissionRequestInit,
    options?: CallOptions,
  ): Promise<AuthRoleRevokePermissionResponse> {
    return this.#caller.unary(roleRevokePermission, request, options);
  }
}
