// What the window shows at the moment, beyond the route.
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';

export const useWindowState = defineStore('window', () => {
  const sidebarHidden = ref(false);
  /** Debug and Traps need the width: there the machine list is a rail, unless it was asked for. */
  const railWanted = ref(false);
  const railOpened = ref(false);
  const sidebar = computed(() => {
    if (railWanted.value) return railOpened.value ? 'shown' : 'rail';
    return sidebarHidden.value ? 'hidden' : 'shown';
  });
  const paletteOpen = ref(false);
  const chooserOpen = ref(false);
  /** Where the file chooser hands its paths; null: a new machine from them. */
  const chooserTarget = ref<((paths: string[]) => void) | null>(null);
  const deleting = ref<string | null>(null);
  const poweringOff = ref<string | null>(null);
  /** Machine whose console holds keyboard and mouse. */
  const captured = ref<string | null>(null);

  function toggleSidebar(): void {
    if (railWanted.value) railOpened.value = !railOpened.value;
    else sidebarHidden.value = !sidebarHidden.value;
  }

  function choose(target: ((paths: string[]) => void) | null): void {
    chooserTarget.value = target;
    chooserOpen.value = true;
  }

  return {
    sidebarHidden,
    railWanted,
    sidebar,
    toggleSidebar,
    paletteOpen,
    chooserOpen,
    chooserTarget,
    deleting,
    poweringOff,
    captured,
    choose,
  };
});
