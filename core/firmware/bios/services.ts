// Numbers of the services behind the ROM's stubs; assets/firmware/bios.asm names the same.
export const services = {
  post: 0x01,
  pci32: 0x03,
  key: 0x09,
  video: 0x10,
  equip: 0x11,
  memory: 0x12,
  disk: 0x13,
  serial: 0x14,
  system: 0x15,
  keys: 0x16,
  print: 0x17,
  noboot: 0x18,
  boot: 0x19,
  time: 0x1a,
  rtc: 0x70,
  mouse: 0x74,
} as const;

/** How a service ends: `retry` calls it again at once, `sleep` after the next interrupt. */
export type ServiceResult = 'done' | 'retry' | 'sleep';
