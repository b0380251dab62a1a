import { createPinia } from 'pinia';
import { createApp } from 'vue';
import { z } from 'zod';
import App from './App.vue';
import { connect } from './client/connect.ts';
import { setClient } from './client/client.ts';
import { router } from './router.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/screens.css';

// The content policy forbids code from strings, which zod would use where it may.
z.config({ jitless: true });
setClient(connect());
createApp(App).use(createPinia()).use(router).mount('#app');
