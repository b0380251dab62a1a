import { computed } from 'vue';
import { useCommands } from './commands.ts';
import type { Command } from './commands.ts';

/** Looks commands up by id, for buttons and menus. */
export function useCommandMap() {
  const commands = useCommands();
  const byId = computed(() => new Map(commands.value.map((command) => [command.id, command])));
  return {
    command: (id: string): Command | undefined => byId.value.get(id),
    run: (id: string): void => {
      const command = byId.value.get(id);
      if (command !== undefined && command.unavailable === undefined) command.run();
    },
  };
}
