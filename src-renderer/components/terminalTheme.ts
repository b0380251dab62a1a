// The tokens as xterm.js wants them.
import type { ITheme } from '@xterm/xterm';

/** Tokens are `light-dark()` pairs: only a painted element knows the colour. */
export function tokenColour(token: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export function terminalTheme(): ITheme {
  return {
    background: tokenColour('--terminal-bg'),
    foreground: tokenColour('--terminal-text'),
    cursor: tokenColour('--terminal-text'),
    cursorAccent: tokenColour('--terminal-bg'),
    selectionBackground: tokenColour('--accent-line'),
    green: tokenColour('--terminal-green'),
    blue: tokenColour('--terminal-blue'),
    yellow: tokenColour('--terminal-yellow'),
    red: tokenColour('--state-crashed'),
    brightBlack: tokenColour('--text-muted'),
  };
}
