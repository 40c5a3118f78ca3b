// Light or dark, as the system or as a person chose. Not here: the colours.

export type Theme = 'auto' | 'light' | 'dark';

const STORED = 'miaopu.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme {
  const theme = localStorage.getItem(STORED);
  return theme === 'light' || theme === 'dark' ? theme : 'auto';
}

let chosen = $state<Theme>(stored());
let system = $state(dark.matches);

function apply(): void {
  document.documentElement.dataset['theme'] = shownTheme();
}

export function theme(): Theme {
  return chosen;
}

/** Returns what is shown: light or dark. */
export function shownTheme(): 'light' | 'dark' {
  return chosen === 'auto' ? (system ? 'dark' : 'light') : chosen;
}

export function dress(wanted: Theme): void {
  chosen = wanted;
  localStorage.setItem(STORED, wanted);
  apply();
}

dark.addEventListener('change', () => {
  system = dark.matches;
  apply();
});
apply();
