// How changes of users and roles are shown: a sentence, or the answer itself.

import type { ResponseHeader } from "../../wire/messages/rpc.ts";
import type { MessageDescriptor } from "../../wire/protobuf/descriptor.ts";
import { headerFields } from "./printers/fields.ts";
import { messageView, type View } from "./printers/view.ts";

export function changeView<M extends { header: ResponseHeader | undefined }>(
  message: M,
  descriptor: MessageDescriptor,
  encode: (message: M) => Uint8Array,
  sentence: string,
): View {
  return {
    ...messageView(message, descriptor, encode),
    simple: () => [`${sentence}\n`],
    fields: (style) => [headerFields(message.header, style)],
  };
}
