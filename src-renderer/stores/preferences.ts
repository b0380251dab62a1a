// The person's choices for the program, and what is known of this computer.
import { defineStore } from 'pinia';
import { ref, watchEffect } from 'vue';
import type { Response } from '../../core/api/contract.ts';
import type { Settings } from '../../core/api/system.ts';
import { useClient } from '../client/client.ts';

export const usePreferences = defineStore('preferences', () => {
  const client = useClient();
  const settings = ref<Settings>({ theme: 'system', lastFolder: null, tourRemoved: false, measuredMips: null });
  const computer = ref<Response<'system.information'> | null>(null);

  async function load(): Promise<void> {
    settings.value = await client.call('system.settings', {});
    computer.value = await client.call('system.information', {});
  }

  async function setTheme(theme: Settings['theme']): Promise<void> {
    settings.value = await client.call('system.saveSettings', { theme });
  }

  client.on('system.settingsChanged', (changed) => (settings.value = changed));
  client.onConnected((connected) => connected && void load().catch(() => undefined));
  watchEffect(() => {
    const { theme } = settings.value;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  });

  return { settings, computer, setTheme };
});
