// What the flags --peer-cert-file and so on say.

export interface PeerTlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** For connections to others; "": the same as for those from others. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** "": the system's authorities. */
  readonly trustedCaFile: string;
  readonly clientCertAuth: boolean;
  /** Revoked certificates; "": none. */
  readonly crlFile: string;
  /** One of these common names, or of these host names, must be in the other's certificate. */
  readonly allowedCns: readonly string[];
  readonly allowedHostnames: readonly string[];
  readonly skipClientSanVerification: boolean;
  /** Made by ourselves (--peer-auto-tls): others have theirs, nobody can check them. */
  readonly isSelfMade: boolean;
  readonly minVersion: string;
  readonly maxVersion: string;
  readonly cipherSuites: readonly string[];
}
