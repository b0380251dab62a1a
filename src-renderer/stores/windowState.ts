// What the window shows at the moment, beyond the route.
import { defineStore } from 'pinia';
import { ref } from 'vue';

export const useWindowState = defineStore('window', () => {
  const sidebarHidden = ref(false);
  const paletteOpen = ref(false);
  const chooserOpen = ref(false);
  /** Where the file chooser hands its paths; null: a new machine from them. */
  const chooserTarget = ref<((paths: string[]) => void) | null>(null);
  const deleting = ref<string | null>(null);
  const poweringOff = ref<string | null>(null);
  /** Machine whose console holds keyboard and mouse. */
  const captured = ref<string | null>(null);

  function choose(target: ((paths: string[]) => void) | null): void {
    chooserTarget.value = target;
    chooserOpen.value = true;
  }

  return { sidebarHidden, paletteOpen, chooserOpen, chooserTarget, deleting, poweringOff, captured, choose };
});
