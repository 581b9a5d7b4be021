// Machines, and the processes on them.

import { h, num, bytes, percent, span, secs, meter, panel, stateTag, tag, empty } from './ui.js';
import { store } from './store.js';
import { go } from './app.js';

/** What a process is to its cluster, as people say it. */
export function roleName(row) {
  const role = row.process?.role;
  if (typeof role === 'string') return role === 'program' ? row.process.program : role;
  const [kind, own] = Object.entries(role ?? {})[0] ?? ['', {}];
  return kind === 'node' ? `node ${own.name}` : own.name ?? kind;
}

export function view() {
  const { status } = store;
  if (!status) return empty('One moment …');
  const rows = store.rows.filter((row) => row.process);
  const taken = new Set();
  const cards = status.nodes.map((node) => {
    const top = rows.find((row) => row.process.role?.node?.name === node.name);
    const own = top ? rows.filter((row) => row === top || row.path.startsWith(`${top.path}/`)) : [];
    own.forEach((row) => taken.add(row));
    return card(node, own);
  });
  const others = rows.filter((row) => !taken.has(row));
  return [h('h1', { class: 'sr' }, 'Nodes'),
    status.nodes.length ? h('div', { class: 'cards', key: 'cards' }, cards) : empty('No node has joined.', 'raytree start --join ', status.address),
    panel('Head and programs', { key: 'others' }, processTable(others))];
}

function card(node, processes) {
  const amounts = Object.entries(node.total.amounts);
  return h('section', { class: `panel node ${node.phase === 'up' ? '' : 'warn'}`, key: node.name },
    h('header', {}, h('h2', {}, node.name), stateTag(node.phase), h('span', { class: 'aside mono' }, node.address)),
    h('ul', { class: 'plain bars' }, amounts.map(([name, total]) => {
      const used = (total - (node.free.amounts[name] ?? 0)) / 1000;
      return h('li', { key: name }, h('span', {}, name), meter(used, total / 1000, `${name}: ${num(used)} of ${num(total / 1000)} granted`, 'use'), h('span', { class: 'num' }, `${num(used)} / ${num(total / 1000)}`));
    })),
    processTable(processes),
    h('footer', { class: 'muted' }, `life ${node.life} · raytree ${node.version}`));
}

/** What is left out where there is little room. */
const LESS = ['Threads', 'Age'];

function processTable(rows) {
  if (!rows.length) return empty('It does not say what runs there.');
  return h('table', { class: 'small' }, h('thead', {}, h('tr', {}, ['Process', 'Pid', 'CPU', 'Memory', 'Threads', 'Actors', 'Age'].map((label, i) => h('th', { class: `${i ? 'num' : 'long'} ${LESS.includes(label) ? 'less' : ''}`, scope: 'col' }, label)))),
    h('tbody', {}, rows.map((row) => h('tr', { key: row.path, class: row.mood, tabindex: '0', onclick: () => go({ actor: row.path }), onkeydown: (event) => event.key === 'Enter' && go({ actor: row.path }) },
      h('td', { class: 'long' }, roleName(row), row.process.stale ? tag(`silent for ${span(secs(row.process.stale))}`, 'warn') : null),
      h('td', { class: 'num mono' }, row.process.pid), h('td', { class: 'num' }, percent(row.cpu ?? 0)), h('td', { class: 'num' }, bytes(row.process.memory)),
      h('td', { class: 'num less' }, num(row.process.threads)), h('td', { class: 'num' }, num(actorsOf(row))), h('td', { class: 'num less' }, span(Math.floor(secs(row.process.uptime))))))));
}

/** A time span in its largest unit. */
const age = (t) => (t < 60 ? `${Math.floor(t)} s` : t < 3600 ? `${Math.floor(t / 60)} min` : t < 172800 ? `${Math.floor(t / 3600)} h` : `${Math.floor(t / 86400)} d`);

function actorsOf(top) {
  let count = 0;
  const open = [...top.kids];
  while (open.length) {
    const row = open.pop();
    if (row.process) continue;
    if (row.id && !row.host) count += 1;
    open.push(...row.kids);
  }
  return count;
}
