// Facts of the i440FX/PIIX3 board that firmware, ACPI tables and chipset must agree on.

/** Port by which ROM stubs call services. */
export const trapPort = 0xea;

/** PCI functions on bus 0: [device, function]. */
export const pciIds = { isaBridge: [1, 0], ide: [1, 1], powerManagement: [1, 3], vga: [2, 0] } as const;

/** PIIX4 power management I/O base (register 40h) and its blocks (82371AB 7.2). */
export const pmBase = 0x600;
export const pmBlocks = { event: 0x00, control: 0x04, timer: 0x08, generalEvents: 0x0c } as const;
/** Port and commands by which a system takes the fixed hardware over (ACPI 2.0 5.2.8). */
export const smiCommand = { port: 0xb2, acpiEnable: 0xf1, acpiDisable: 0xf0 } as const;
/** SCI is hard-wired to IRQ 9 (82371AB 3.0). */
export const sciIrq = 9;
/** SLP_TYP of soft off (82371AB 7.2.3: 000). */
export const softOffSleepType = 0;
/** Reset control register and the value that pulls RESET# (82371SB 2.5.1). */
export const resetPort = 0xcf9;
export const resetValue = 6;

/** IRQs behind PIRQA#-PIRQD#. */
export const pirqIrqs = [10, 11, 10, 11] as const;
/** Where the APICs and the HPET answer (MP 3.6, HPET 3.2.4), and the I/O APIC's identification. */
export const localApicBase = 0xfee0_0000;
export const ioApicBase = 0xfec0_0000;
export const ioApicId = 1;
export const hpetBase = 0xfed0_0000;
/** I/O APIC inputs: IRQ 0 is at 2, PIRQA#-PIRQD# at 16 to 19, active low; the 8259s' INTR is at 0. */
export const timerInput = 2;
export const pirqInput = 16;

/** Which PIRQ (0-3) pin INTA#-INTD# (0-3) of a device reaches. */
export const pirqOf = (device: number, pin: number): number => (device - 1 + pin) & 3;

/** First I/O port and memory address that POST gives to PCI base address registers. */
export const pciIoBase = 0xc000;
export const pciMemoryBase = 0xe000_0000;
export const pciMemoryEnd = 0xfec0_0000;

/** BIOS drive number of the CD-ROM; floppies are 0 and up, hard disks 80h and up. */
export const cdromDrive = 0xe0;
