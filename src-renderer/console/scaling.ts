// How large a guest pixel is on screen.
export const SCALINGS = [
  { value: 'sharp', label: 'Fit, sharp' },
  { value: 'integer', label: 'Whole multiples' },
  { value: 'smooth', label: 'Fit, smooth' },
  { value: 'original', label: 'Original size' },
] as const;
export type Scaling = (typeof SCALINGS)[number]['value'];

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Size in CSS pixels. `integer` counts device pixels, so that each guest pixel is equally large. */
export function scaledSize(scaling: Scaling, guest: Size, available: Size, devicePixelRatio: number): Size {
  if (guest.width === 0 || guest.height === 0) return { width: 0, height: 0 };
  const fit = Math.min(available.width / guest.width, available.height / guest.height);
  const whole = Math.max(1, Math.floor(fit * devicePixelRatio)) / devicePixelRatio;
  const factor = scaling === 'original' ? 1 / devicePixelRatio : scaling === 'integer' ? whole : Math.max(0.1, fit);
  return { width: Math.floor(guest.width * factor), height: Math.floor(guest.height * factor) };
}
