// Firmware ACPI Control Structure (ACPI 2.0 5.2.9): 64 bytes that the OS writes to.
export function buildFacs(): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x46, 0x41, 0x43, 0x53, 64]);
  bytes[32] = 1;
  return bytes;
}
