// Every limit of the transport with its reason. What an operator can set is in `Limits`.

export interface Limits {
  /** Largest request message: --max-request-bytes and 512 KiB for the envelope, as etcd has it. */
  readonly messageBytesMax: number;
  /** --max-concurrent-streams, per connection. */
  readonly concurrentStreamsMax: number;
  /** --grpc-keepalive-min-time: pings more frequent than this are strikes. */
  readonly keepaliveMinTimeMs: number;
  /** --grpc-keepalive-interval: silence after which we ping; 0 = never. */
  readonly keepaliveIntervalMs: number;
  /** --grpc-keepalive-timeout: silence after our ping that ends the connection. */
  readonly keepaliveTimeoutMs: number;
  /** Connections at once; further ones are closed on arrival. */
  readonly connectionsMax: number;
  /**
   * Ordinary HTTP requests over HTTP/2 at once, of all connections: each costs some 20 KiB, and
   * streams are cheap for a peer. As many watches of the JSON gateway as anybody has.
   */
  readonly bridgedRequestsMax: number;
  /**
   * Parts of large answers that were made and that the kernel has not taken, of all connections:
   * enough to keep a hundred fast ones busy.
   */
  readonly largeAnswerBytesMax: number;
}

const MIB = 1024 * 1024;

export const defaultLimits: Limits = {
  messageBytesMax: 2 * MIB,
  concurrentStreamsMax: 0xffff_ffff,
  keepaliveMinTimeMs: 5000,
  keepaliveIntervalMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
  connectionsMax: 50_000,
  bridgedRequestsMax: 4096,
  largeAnswerBytesMax: 64 * MIB,
};

/**
 * A stream costs about 1 KiB with its answer blocked. etcd's default for the flag is "no limit";
 * this is far above what a client opens on one connection and still only 64 MiB.
 */
export const CONNECTION_STREAMS_MAX = 65_536;

/** Receive window of a stream: small requests never wait, large ones ask (request-memory.ts). */
export const STREAM_WINDOW_BYTES = 65_535;
/** Receive window of a connection. Refunded on arrival: bounds only what is under way. */
export const CONNECTION_WINDOW_BYTES: number = 8 * MIB;

/** Compressed header block with all its CONTINUATIONs; a request of etcd's has about 200 bytes. */
export const HEADER_BLOCK_BYTES_MAX: number = 32 * 1024;
/** Frames of a header block after the first (CVE-2024-27316: endless CONTINUATION). */
export const CONTINUATION_FRAMES_MAX = 16;
/** Decoded header list, SETTINGS_MAX_HEADER_LIST_SIZE: the token is the only large field. */
export const HEADER_LIST_BYTES_MAX: number = 32 * 1024;

/** Resets that the peer caused, less calls that ended well, per second (CVE-2023-44487). */
export const RESETS_PER_SECOND_MAX = 1000;
/** Control frames per second without one answer sent: PING, SETTINGS, PRIORITY … floods. */
export const CONTROL_FRAMES_PER_SECOND_MAX = 10_000;
/** A window update below this is as cheap for the peer as a PING, and counts as one. */
export const WINDOW_UPDATE_BYTES_FAIR = 1024;

/** Answers of one connection held back by flow control or TCP: refuse new streams above. */
export const QUEUED_BYTES_SOFT_MAX: number = 64 * MIB;
/** … and fail answers above: 65,536 calls may be under way when the window closes. */
export const QUEUED_BYTES_MAX: number = 256 * MIB;
/** The same for all connections together. */
export const QUEUED_BYTES_TOTAL_MAX: number = 1024 * MIB;
/** What a held-back answer costs besides its bytes. */
export const QUEUED_OVERHEAD_BYTES = 256;

/** One part: a quarter of a millisecond of reading, and a few writes. */
export const LARGE_ANSWER_PART_BYTES: number = 256 * 1024;
/** Made in one turn, before others are served: about half a millisecond. */
export const LARGE_ANSWER_TURN_BYTES: number = 512 * 1024;
/** A connection with more in its socket gets no further part: a fast link is busy with it. */
export const LARGE_ANSWER_BACKLOG_BYTES: number = 256 * 1024;
/** An answer of which the client takes nothing for so long is given up. */
export const LARGE_ANSWER_STALL_MS = 60_000;

/** Incomplete request messages of one connection: large ones wait for their turn above this. */
export const REQUEST_BYTES_SOFT_MAX: number = 64 * MIB;
/** … and small ones fail above this. */
export const REQUEST_BYTES_MAX: number = 128 * MIB;
/** The same for all connections together. */
export const REQUEST_BYTES_TOTAL_MAX: number = 1024 * MIB;
/** A message that has begun and does not grow for so long is given up. */
export const REQUEST_STALL_MS = 60_000;

/** Connections that wait until the server is ready: as many as the kernel would keep. */
export const WAITING_CONNECTIONS_MAX = 4096;

/** First bytes, and then SETTINGS: whoever connects has something to say. */
export const PREFACE_TIMEOUT_MS = 20_000;
export const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;
/** Acknowledgement of our SETTINGS; generous, as nothing depends on it. */
export const SETTINGS_ACK_TIMEOUT_MS = 60_000;
/** The socket holds output and the kernel takes none of it: the peer is stuck. */
export const WRITE_STALL_MS = 60_000;
/** After GOAWAY with an error we read (and drop) on, so that TCP delivers it. */
export const LINGER_MS = 1000;
/** Between the two GOAWAYs of a drain when the peer does not answer our PING. */
export const DRAIN_PING_TIMEOUT_MS = 1000;

/** One timer per server: deadlines and timeouts are exact to this. */
export const TICK_MS = 100;
/** Rates are counted, and stalls looked for, every so many ticks: once a second. */
export const TICKS_PER_SWEEP = 10;
