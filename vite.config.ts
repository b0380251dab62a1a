import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src-renderer',
  base: './',
  plugins: [vue()],
  resolve: {
    // The one of its builds that brings its styles.
    alias: [{ find: /^dockview-core$/, replacement: 'dockview-core/dist/dockview-core.js' }],
  },
  // One instance of zod: views switch off its code generation before the first schema is used.
  build: { outDir: '../dist/renderer', emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 1500 },
});
