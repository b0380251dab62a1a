// Numbers as people read them.
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

export function memoryText(mebibytes: number): string {
  return mebibytes >= 1024 && mebibytes % 256 === 0 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;
}

export function countText(count: number): string {
  if (count < 1000) return String(Math.round(count));
  if (count < 1_000_000) return `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

/** `1 204 881`. */
export function groupedText(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
}

export function mipsText(mips: number): string {
  return `${mips >= 10 ? Math.round(mips) : mips.toFixed(1)} MIPS`;
}

export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function clockText(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

/** The last part of a path; the whole belongs into a title. */
export const fileName = (path: string | null | undefined): string => path?.split(/[/\\]/).at(-1) ?? '';

/** Keeps both ends: a path's folder and its file name matter. */
export function middleText(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const tail = Math.ceil((longest - 1) * 0.6);
  return `${text.slice(0, longest - 1 - tail)}…${text.slice(-tail)}`;
}
