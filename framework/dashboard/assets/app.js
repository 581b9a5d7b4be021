// The frame: where one is, what is always seen, and which view is drawn into it.

import { h, morph, num, span, clock } from './ui.js';
import { store, onChange, connect, leave, now } from './store.js';
import { drawer } from './detail.js';
import * as cluster from './cluster.js';
import * as nodes from './nodes.js';
import * as tree from './tree.js';
import * as actors from './actors.js';
import * as tasks from './tasks.js';
import * as objects from './objects.js';
import * as jobs from './jobs.js';
import * as events from './events.js';
import * as logs from './logs.js';
import * as waits from './waits.js';
import * as timeline from './timeline.js';

const VIEWS = [
  ['cluster', 'Cluster', cluster], ['nodes', 'Nodes', nodes], ['tree', 'Tree', tree], ['actors', 'Actors', actors],
  ['tasks', 'Tasks', tasks], ['objects', 'Objects', objects], ['jobs', 'Jobs', jobs], ['events', 'Events', events], ['logs', 'Logs', logs],
  ['waits', 'Waits', waits], ['timeline', 'Timeline', timeline],
];

/** Where one is: the view, and what was chosen there. It is the address, so that it can be sent to others. */
export function place() {
  const [name, query] = location.hash.replace(/^#\/?/, '').split('?');
  return { view: VIEWS.some(([id]) => id === name) ? name : 'cluster', params: new URLSearchParams(query ?? '') };
}

/** Changes what was chosen, and stays in the view unless another one is named. */
export function go(changes, view = place().view) {
  const { params } = place();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '' || value === undefined || value === false) params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  const hash = `#/${view}${query ? `?${query}` : ''}`;
  if (hash !== location.hash) history.pushState(null, '', hash);
  draw();
}

function nav(current) {
  const counts = { actors: store.totals.actors, nodes: store.status?.nodes.length, jobs: store.status?.jobs.length };
  return h('nav', { 'aria-label': 'Views' }, VIEWS.map(([id, label], i) =>
    h('a', { href: `#/${id}`, key: id, class: id === current ? 'here' : '', 'aria-current': id === current ? 'page' : null, title: i < 9 ? `${label} (${i + 1})` : label },
      label, counts[id] ? h('span', { class: 'count' }, num(counts[id])) : null,
      id === 'tree' && store.troubles.some((row) => row.mood === 'bad') && h('span', { class: 'dot bad', title: 'something has failed' }, '✗'))));
}

function health() {
  const { link, status, troubles } = store;
  if (link === 'lost' || link === 'connecting') return ['bad', link === 'lost' ? '✗ no contact' : '◌ connecting'];
  if (link === 'silent') return ['warn', '? slow to answer'];
  const bad = new Set(troubles.filter((row) => row.mood === 'bad').map((row) => (row.id ? row.name : row.path))).size;
  const down = status ? status.nodes.filter((node) => node.phase !== 'up').length : 0;
  if (bad) return ['bad', `✗ ${bad} failing`];
  if (down || (status && !status.nodes.length)) return ['warn', `◐ ${status.nodes.length ? `${down} node${down > 1 ? 's' : ''} not up` : 'no nodes'}`];
  return troubles.length ? ['warn', `◐ ${troubles.length} to look at`] : ['ok', '● healthy'];
}

const THEMES = { auto: ['◐', 'as the system'], light: ['☀', 'light'], dark: ['☾', 'dark'] };
const theme = () => document.documentElement.dataset.theme ?? 'auto';
function setTheme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
  try { localStorage.setItem('theme', name); } catch { /* a browser that keeps nothing */ }
  draw();
}

function header() {
  const [mood, word] = health();
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme()) + 1) % names.length];
  return h('header', { class: 'top' },
    h('a', { class: 'brand', href: '#/cluster' }, h('img', { src: '/assets/icon.svg', alt: '', width: 20, height: 20 }), 'raytree'),
    h('span', { class: 'where mono' }, store.status?.address ?? ''),
    h('span', { class: `health ${mood}`, role: 'status' }, word),
    h('span', { class: 'grow' }),
    h('span', { class: 'muted up' }, store.status ? `up ${span(Math.floor(secsUp()))}` : ''),
    h('span', { class: `beat ${store.link}`, title: store.at ? `as of ${clock(store.at)}` : '' }, store.link === 'live' ? 'live' : store.lostSince ? `since ${clock(store.lostSince)}` : ''),
    h('button', { class: 'quiet', onclick: () => setTheme(next), 'aria-label': `Colours: ${THEMES[theme()][1]}; change to ${THEMES[next][1]}`, title: `Colours: ${THEMES[theme()][1]}` }, THEMES[theme()][0]),
    h('button', { class: 'quiet', onclick: logOut, title: 'End this session' }, h('span', { class: 'small' }, 'log out')));
}

const secsUp = () => (store.status ? store.status.uptime.secs + Math.max(0, now() - store.statusAt) : 0);

async function logOut() {
  await fetch('/logout', { method: 'POST' });
  leave();
}

function locked() {
  return h('div', { id: 'app' }, h('main', { class: 'out' }, h('h1', {}, 'You are logged out'),
    h('p', {}, 'A link that opens this dashboard once is printed by'), h('pre', {}, 'raytree dashboard')));
}

let isDrawn = null;
let last = null;
let seen = null;
function frame() {
  if (store.link === 'out') return locked();
  const { view, params } = place();
  const [, label, module] = VIEWS.find(([id]) => id === view);
  document.title = `${label} · raytree`;
  if (last !== view) {
    VIEWS.find(([id]) => id === last)?.[2].leave?.();
    last = view;
  }
  const open = params.get('actor');
  const side = drawer(open) ?? module.side?.(params);
  return h('div', { id: 'app', class: side ? 'split' : '' }, header(), nav(view),
    store.link === 'lost' && h('p', { class: 'banner bad', role: 'alert' }, `${store.why}: what you see is from ${store.at ? clock(store.at) : 'nowhere yet'}. It is tried again.`),
    store.link === 'silent' && h('p', { class: 'banner warn', role: 'alert' }, store.why),
    h('main', { id: 'main', tabindex: '-1', class: `view-${view}`, key: view }, module.view(params)),
    side);
}

/** Draws what there is to see, at the next frame. */
export function draw() {
  isDrawn ??= requestAnimationFrame(() => {
    isDrawn = null;
    morph(document.getElementById('app'), frame());
    if (seen !== last) document.querySelector('nav a.here')?.scrollIntoView({ block: 'nearest', inline: 'center' });
    seen = last;
    if (store.link !== 'out') VIEWS.find(([id]) => id === place().view)[2].drawn?.();
  });
}

window.addEventListener('hashchange', draw);
window.addEventListener('popstate', draw);
window.addEventListener('resize', draw);
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = /INPUT|SELECT|TEXTAREA/.test(event.target.tagName);
  if (event.key === 'Escape') {
    if (isTyping) event.target.blur(); else go({ actor: null, task: null });
  } else if (isTyping) return;
  else if (event.key === '/') {
    document.querySelector('main input[type=search]')?.focus();
    event.preventDefault();
  } else if (VIEWS[event.key - 1]) location.hash = `#/${VIEWS[event.key - 1][0]}`;
});

try { setTheme(localStorage.getItem('theme') ?? 'auto'); } catch { draw(); }
onChange(draw);
connect();
