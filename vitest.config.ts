import { defineConfig } from 'vitest/config';

const project = (name: string, include: string[], testTimeout = 20_000) => ({
  test: { name, include, testTimeout, hookTimeout: 120_000, environment: 'node', exclude: ['**/node_modules/**'] },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/unit/**/*.test.ts']),
      project('devices', ['test/devices/**/*.test.ts']),
      project('instructions', ['test/instructions/**/*.test.ts', 'test/system/**/*.test.ts'], 120_000),
      project('boot', ['test/boot/**/*.test.ts'], 300_000),
      project('electron', ['test/electron/**/*.test.ts'], 60_000),
    ],
    // Machines are heavy and this must also run on two processors.
    maxWorkers: 2,
    passWithNoTests: true,
  },
});
