// Where the page starts. Not here: anything else.
import { mount } from 'svelte';

import './styles.css';
import App from './views/App.svelte';
import './views/theme.svelte';

const target = document.getElementById('app');
if (target) mount(App, { target });
