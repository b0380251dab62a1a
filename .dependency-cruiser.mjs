// The layer law: who may import whom. Anything unlisted is an error and there are no exemptions.
// Each entry: a layer's own path, and what it may import beyond itself. `types` may only be imported as types.

const layers = [
  { name: 'base', from: '^core/base/', to: [] },
  { name: 'host', from: '^core/host/', to: ['^core/base/'] },
  { name: 'bus', from: '^core/bus/', to: ['^core/base/'] },
  {
    name: 'mmu',
    from: '^core/mmu/',
    to: ['^core/base/', '^core/cpu/state/', '^core/cpu/emit/', '^core/bus/device\\.ts$'],
  },
  { name: 'cpu-state', from: '^core/cpu/state/', to: ['^core/base/'] },
  { name: 'cpu-emit', from: '^core/cpu/emit/', to: ['^core/base/'] },
  { name: 'cpu-semantics', from: '^core/cpu/semantics/', to: ['^core/cpu/state/', '^core/cpu/emit/'] },
  {
    name: 'cpu-decode',
    from: '^core/cpu/decode/',
    to: ['^core/cpu/state/', '^core/cpu/emit/', '^core/cpu/semantics/'],
  },
  {
    name: 'cpu-interpreter',
    from: '^core/cpu/interpreter/',
    to: ['^core/cpu/(state|emit|semantics|decode)/', '^core/mmu/'],
  },
  {
    name: 'cpu-translator',
    from: '^core/cpu/translator/',
    to: ['^core/cpu/(state|emit|semantics|decode|interpreter)/'],
    types: ['^core/cpu/cpu\\.ts$'],
  },
  // What holds the parts together: the CPU itself, its code cache and the TypeScript helpers.
  {
    name: 'cpu',
    from: '^core/cpu/([^/]+\\.ts$|system/|x87/|vector/)',
    to: ['^core/base/', '^core/mmu/', '^core/cpu/'],
  },
  {
    name: 'devices',
    from: '^core/devices/',
    to: ['^core/base/', '^core/bus/', '^core/host/'],
    types: ['^core/storage/', '^core/network/'],
  },
  { name: 'storage', from: '^core/storage/', to: ['^core/base/', '^core/host/'] },
  {
    name: 'firmware',
    from: '^core/firmware/',
    to: ['^core/base/', '^core/bus/', '^core/host/'],
    types: ['^core/machine/configuration\\.ts$'],
  },
  {
    name: 'chipset',
    from: '^core/chipset/',
    to: ['^core/base/', '^core/bus/', '^core/host/', '^core/devices/', '^core/firmware/'],
    types: ['^core/machine/configuration\\.ts$'],
  },
  {
    name: 'hypervisor',
    from: '^core/hypervisor/',
    to: ['^core/base/', '^core/host/', '^core/bus/', '^core/mmu/', '^core/cpu/'],
    types: ['^core/machine/'],
  },
  {
    name: 'machine',
    from: '^core/machine/',
    to: [
      '^core/base/',
      '^core/host/',
      '^core/bus/',
      '^core/mmu/',
      '^core/cpu/',
      '^core/chipset/',
      '^core/hypervisor/',
      '^core/storage/',
      '^core/network/',
      '^core/firmware/',
    ],
  },
  // Everything that looks into a machine; it may know the engine's state, never a device or a board.
  {
    name: 'debugger',
    from: '^core/debugger/',
    to: ['^core/base/', '^core/host/', '^core/mmu/', '^core/hypervisor/', '^core/cpu/state/', '^core/cpu/decode/'],
    types: ['^core/bus/', '^core/machine/', '^core/api/(debug|debugService|definition)\\.ts$', '^core/cpu/cpu\\.ts$'],
  },
  { name: 'api', from: '^core/api/', to: ['^core/base/', '^core/machine/', '^core/debugger/'], types: ['^core/host/'] },
  {
    name: 'vm-host',
    from: '^src-main/vm-host/',
    to: ['^core/api/', '^core/host/'],
    types: ['^core/machine/', '^core/base/'],
    packages: true,
  },
  {
    name: 'application',
    from: '^src-main/application/',
    to: [
      '^core/api/(?!engine)',
      '^core/host/',
      '^core/base/',
      '^core/machine/(configuration|processor)\\.ts$',
      '^src-main/vm-host/(spawn|fileProblem|png)\\.ts$',
    ],
    types: ['^core/machine/'],
    packages: true,
  },
  { name: 'server', from: '^src-main/server/', to: ['^core/api/(?!engine)', '^src-main/application/'], packages: true },
  {
    name: 'electron',
    from: '^src-main/electron/',
    to: ['^core/api/(?!engine)', '^src-main/application/', '^src-main/vm-host/spawn\\.ts$'],
    packages: true,
  },
  {
    name: 'cli',
    from: '^src-main/cli/',
    to: [
      '^core/api/',
      '^core/host/',
      '^core/machine/(configuration|processor)\\.ts$',
      '^src-main/(application|vm-host|server)/',
    ],
    types: ['^core/machine/'],
    packages: true,
  },
  {
    name: 'renderer',
    from: '^src-renderer/',
    to: ['^core/api/(?!engine|vmProcess)', '^core/base/', '^core/machine/(configuration|processor)\\.ts$'],
    types: ['^core/machine/'],
    packages: true,
  },
];

const source = '^(core|src-main|src-renderer)/';
const allowedPackages = '(^|/)node_modules/zod/';

function rulesOf({ name, from, to, types = [], packages = false }) {
  const rules = [
    {
      name: `${name}-imports`,
      severity: 'error',
      comment: `${name} may import itself and ${[...to, ...types.map((path) => `types of ${path}`)].join(', ') || 'nothing'}`,
      from: { path: from },
      to: { path: source, pathNot: [from, ...to, ...types] },
    },
  ];
  if (types.length > 0) {
    rules.push({
      name: `${name}-imports-types-only`,
      severity: 'error',
      from: { path: from },
      to: { path: types.join('|'), pathNot: [from, ...to], dependencyTypesNot: ['type-only'] },
    });
  }
  if (!packages) {
    rules.push({
      name: `${name}-packages`,
      severity: 'error',
      comment: 'core knows neither Node nor any package but zod',
      from: { path: from },
      to: { path: '.', pathNot: [source, allowedPackages] },
    });
  }
  return rules;
}

export default {
  forbidden: [
    ...layers.flatMap(rulesOf),
    {
      name: 'devices-know-no-device',
      severity: 'error',
      comment: 'a device never imports another group of devices',
      from: { path: '^core/devices/([^/]+)/' },
      to: { path: '^core/devices/', pathNot: '^core/devices/$1/' },
    },
    {
      name: 'semantics-over-expressions',
      severity: 'error',
      from: { path: '^core/cpu/(semantics|decode)/' },
      to: { path: '^core/cpu/(interpreter|translator)/' },
    },
    {
      name: 'product-without-scripts-and-tests',
      severity: 'error',
      from: { path: source },
      to: { path: '^(scripts|test)/' },
    },
    {
      name: 'every-layer-is-known',
      severity: 'error',
      comment: 'a file under core, src-main or src-renderer belongs to a layer above',
      from: { path: source, pathNot: layers.map(({ from }) => from) },
      to: {},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: source },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: { path: source }, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.vue', '.mjs', '.js'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
    exclude: { path: '\\.css$' },
  },
};
