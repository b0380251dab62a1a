// A terminal in a pane: it takes the tokens' colours and fits its host, from the pane's beginning to its end.
import { useResizeObserver } from '@vueuse/core';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { onBeforeUnmount, onMounted, useTemplateRef, watch } from 'vue';
import { usePreferences } from '../stores/preferences.ts';
import { useToasts } from '../stores/toasts.ts';
import { terminalTheme } from './terminalTheme.ts';

/**
 * The terminal of a component whose template has an element with `ref="host"`. `onOpened` runs once it is in there;
 * `allOf` says what a copy of everything is.
 */
export function useTerminal(onOpened: (terminal: Terminal) => void, allOf: string) {
  const preferences = usePreferences();
  const toasts = useToasts();
  const host = useTemplateRef<HTMLElement>('host');
  const terminal = new Terminal({
    fontSize: 12,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--font-mono').trim(),
    scrollback: 5000,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);

  function allText(): string {
    const { active } = terminal.buffer;
    return Array.from({ length: active.length }, (_, index) => active.getLine(index)?.translateToString(true) ?? '')
      .join('\n')
      .trimEnd();
  }

  /** The selection, or everything. */
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(terminal.getSelection() || allText());
    toasts.info('Copied', terminal.hasSelection() ? 'The selected text' : allOf);
  }

  const applyTheme = (): void => void (terminal.options.theme = terminalTheme());
  const fitHost = (): void => {
    if (host.value?.clientHeight) fit.fit();
  };
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  onMounted(() => {
    if (host.value === null) return;
    terminal.open(host.value);
    applyTheme();
    fitHost();
    scheme.addEventListener('change', applyTheme);
    onOpened(terminal);
  });
  useResizeObserver(host, fitHost);
  watch(() => preferences.settings.theme, applyTheme, { flush: 'post' });
  onBeforeUnmount(() => {
    scheme.removeEventListener('change', applyTheme);
    terminal.dispose();
  });
  return { terminal, allText, copy };
}
