/** base64url without padding, as nodes write bytes. */
export function toBase64url(bytes: Uint8Array): string {
  // A piece at a time: a call takes only so many arguments.
  const pieces = Array.from({ length: Math.ceil(bytes.length / 0x8000) }, (_, n) => String.fromCharCode(...bytes.subarray(n * 0x8000, (n + 1) * 0x8000)));
  return btoa(pieces.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}
