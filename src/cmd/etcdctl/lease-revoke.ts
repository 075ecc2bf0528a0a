import { errorText } from "../../client/errors.ts";
import { Lease } from "../../client/lease.ts";
import {
  encodeLeaseRevokeResponse,
  type LeaseRevokeResponse,
  LeaseRevokeResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-lease.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { headerText, leaseIdArgument } from "./leases.ts";
import { headerFields, leaseId } from "./printers/fields.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

/**
 * etcdctl has no protobuf of this answer, and says so with a picture of Go's memory. The address
 * in it is another one each time; here it is the first of Go's heap.
 */
function noProtobuf({ header }: LeaseRevokeResponse): Exit {
  const picture = `&{{{} [] [] 0xc000000000} ${headerText(header)} [] 0}`;
  const type = "*clientv3.LeaseRevokeResponse";
  return new Exit(ExitCode.BadFeature, `marshal unsupported for type ${type} (${picture})`);
}

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length !== 1) throw badArguments("lease revoke command needs 1 argument");
    const id = leaseIdArgument(args[0]!);
    const lease = new Lease(await session.caller());
    try {
      const response = await lease.leaseRevoke({ id }, session.callOptions);
      const { json } = messageView(
        response,
        LeaseRevokeResponse_DESCRIPTOR,
        encodeLeaseRevokeResponse,
      );
      session.show({
        json,
        protobuf: () => {
          throw noProtobuf(response);
        },
        simple: () => [`lease ${leaseId(id)} revoked\n`],
        fields: (style) => [headerFields(response.header, style)],
      });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new Exit(ExitCode.Error, `failed to revoke lease (${errorText(error)})`);
    }
  },
};
