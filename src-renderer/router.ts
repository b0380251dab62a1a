import { createRouter, createWebHashHistory } from 'vue-router';
import { MACHINE_TABS } from './machineTabs.ts';
import ConsoleTab from './views/ConsoleTab.vue';
import HomeView from './views/HomeView.vue';
import LogTab from './views/LogTab.vue';
import MachineView from './views/MachineView.vue';
import NewMachineView from './views/NewMachineView.vue';
import OverviewTab from './views/OverviewTab.vue';
import SerialTab from './views/SerialTab.vue';
import SettingsTab from './views/SettingsTab.vue';

const views = {
  overview: OverviewTab,
  console: ConsoleTab,
  serial: SerialTab,
  // Loaded when they are first opened: the dock and the charts are large.
  debug: () => import('./views/debugger/DebugTab.vue'),
  traps: () => import('./views/traps/TrapsTab.vue'),
  log: LogTab,
  settings: SettingsTab,
};

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'home', component: HomeView },
    { path: '/new', name: 'new', component: NewMachineView },
    {
      path: '/machines/:id',
      component: MachineView,
      props: true,
      children: [
        { path: '', redirect: { name: 'overview' } },
        ...MACHINE_TABS.map(({ name }) => ({ path: name, name, component: views[name], props: true })),
      ],
    },
    { path: '/:rest(.*)', redirect: '/' },
  ],
});
