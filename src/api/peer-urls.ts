// Addresses that are given for a member: what no member could listen on is not taken into the
// membership, where it would be for ever part of an id.

const HTTP = /^https?:\/\/(?:\[[^\]\s]*\]|[^\s/:?#[\]]*):\d*(?:[?#]\S*)?$/i;
const SOCKET_FILE = /^unixs?:/i;

/** Sorted and without blanks around them, or undefined when one of them is none. */
export function checkedPeerUrls(urls: readonly string[]): string[] | undefined {
  const trimmed = urls.map((url) => url.trim());
  const isValid =
    trimmed.length > 0 && trimmed.every((url) => HTTP.test(url) || SOCKET_FILE.test(url));
  return isValid ? trimmed.sort() : undefined;
}
