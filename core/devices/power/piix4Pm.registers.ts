// PIIX4 power management, function 3 (Intel 82371AB data sheet 7.1, 7.2; ACPI 1.0b 4.7).

export const CONFIG = { PMBASE: 0x40, PMREGMISC: 0x80, SMBBASE: 0x90, SMBHSTCFG: 0xd2 } as const;
export const PM_IO_LENGTH = 64;

/** Offsets from PMBASE. */
export const REG = { PM1_STS: 0x00, PM1_EN: 0x02, PM1_CNT: 0x04, PM_TMR: 0x08, GPE_STS: 0x0c, GPE_EN: 0x0e } as const;

export const PM1_STS = { TMR: 0x0001, BM: 0x0010, GBL: 0x0020, PWRBTN: 0x0100, RTC: 0x0400, WAK: 0x8000 } as const;
export const PM1_EN_MASK = 0x0521;
export const PM1_CNT = { SCI_EN: 0x0001, BM_RLD: 0x0002, GBL_RLS: 0x0004, SLP_TYP: 0x1c00, SLP_TYP_SHIFT: 10, SLP_EN: 0x2000 } as const;

/** SLP_TYP values (82371AB table 23): 0 is soft off, S5. */
export const SLP_TYP_SOFT_OFF = 0;

/** Values of the SMI command port B2h that firmware announces in the FADT. */
export const SMI_COMMAND = { ACPI_ENABLE: 0xf1, ACPI_DISABLE: 0xf0 } as const;

export const PM_TIMER_HERTZ = 3579545;
