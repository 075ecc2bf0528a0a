// How answers of a watch are shown.

import { type Event, Event_DESCRIPTOR, EventType_DESCRIPTOR } from "../../wire/messages/kv.ts";
import { ResponseHeader_DESCRIPTOR } from "../../wire/messages/rpc.ts";
import { encodeWatchResponse, type WatchResponse } from "../../wire/messages/rpc-watch.ts";
import type { Piece } from "./console.ts";
import { field, headerFields, keyValueFields } from "./printers/fields.ts";
import { messageJson } from "./printers/json.ts";
import { keyValueLines } from "./printers/simple.ts";
import type { Style, View } from "./printers/view.ts";

/** "PUT" or "DELETE". */
export function eventType(event: Event): string {
  return EventType_DESCRIPTOR.nameOf.get(event.type) ?? String(event.type);
}

function isProgress(response: WatchResponse): boolean {
  return response.events.length === 0 && !response.canceled && !response.created;
}

function eventLines(event: Event, style: Style): Piece[] {
  return [
    `${eventType(event)}\n`,
    ...(event.prevKv === undefined ? [] : keyValueLines(event.prevKv, style)),
    ...(event.kv === undefined ? [] : keyValueLines(event.kv, style)),
  ];
}

function eventFields(event: Event, style: Style): string {
  return (
    field("Type", eventType(event)) +
    (event.prevKv === undefined ? "" : keyValueFields(event.prevKv, style, "Prev")) +
    (event.kv === undefined ? "" : keyValueFields(event.kv, style))
  );
}

/** With the names of the struct that Go's client makes of an answer. */
function watchJson({ header, events, compactRevision, canceled, created }: WatchResponse): string {
  const list = events.map((event) => messageJson(Event_DESCRIPTOR, event)).join(",");
  return (
    `{"Header":${messageJson(ResponseHeader_DESCRIPTOR, header ?? {})},` +
    `"Events":${events.length === 0 ? "null" : `[${list}]`},` +
    `"CompactRevision":${compactRevision},"Canceled":${canceled},"Created":${created},` +
    `"CancelReason":""}\n`
  );
}

export function watchView(response: WatchResponse): View {
  const { header, canceled, compactRevision, events } = response;
  return {
    simple: (style) =>
      isProgress(response)
        ? [`progress notify: ${header?.revision ?? 0}\n`]
        : events.flatMap((event) => eventLines(event, style)),
    json: () => [watchJson(response)],
    fields: (style) => [
      headerFields(header, style),
      ...events.map((event) => eventFields(event, style)),
    ],
    protobuf: () => [encodeWatchResponse({ header, canceled, compactRevision, events })],
  };
}
