// Every actor, as a list that is searched, filtered and sorted.

import { h, num, span, secs, percent, stateOf, healedTag, meter } from './ui.js';
import { store } from './store.js';
import { draw, go } from './app.js';
import { table, seen } from './table.js';
import { roleName } from './nodes.js';

const state = { sort: '', down: false };
const STATES = ['running', 'pending', 'starting', 'restarting', 'stopping', 'failed', 'trouble'];

const home = (row) => (row.host ? `${row.host}, seen from ${row.home ? roleName(row.home) : '?'}` : row.home ? roleName(row.home) : '');

const isNarrow = innerWidth < 720;
const rate = (x) => num(x < 10 ? Math.round(x * 10) / 10 : Math.round(x));

const columns = [
  { id: 'name', label: 'Name', width: isNarrow ? 'minmax(96px,1fr)' : 'minmax(136px,1.7fr)', sort: (row) => row.name, cell: (row) => [h('b', {}, row.name), healedTag(row)] },
  { id: 'state', label: 'State', width: isNarrow ? '102px' : '118px', sort: (row) => row.state, cell: (row) => stateOf(row, row.state, row.mood || undefined) },
  { id: 'type', label: 'Type', width: 'minmax(84px,1fr)', hide: 'narrow', sort: (row) => row.type_name, cell: (row) => h('span', { class: 'mono' }, row.type_name) },
  { id: 'home', label: 'Where', width: 'minmax(120px,1.5fr)', hide: 'narrow', sort: home, cell: home },
  { id: 'queue', label: 'Queue', num: true, width: isNarrow ? '50px' : '92px', sort: (row) => row.queued, cell: (row) => [row.queued ? num(row.queued) : h('span', { class: 'muted' }, '0'), row.queue_limit && !isNarrow ? meter(row.queued, row.queue_limit, `${num(row.queued)} of ${num(row.queue_limit)}`) : null] },
  { id: 'rate', label: 'Msg/s', num: true, width: isNarrow ? '52px' : '64px', sort: (row) => row.rate, cell: (row) => (row.rate ? rate(row.rate) : h('span', { class: 'muted' }, '0')) },
  { id: 'busy', label: 'Busy', num: true, width: '58px', hide: 'narrow', sort: (row) => row.share, cell: (row) => (row.share > 0.0005 ? percent(Math.min(1, row.share)) : h('span', { class: 'muted' }, '0 %')) },
  { id: 'handled', label: 'Handled', num: true, width: '78px', hide: 'narrow', sort: (row) => row.handled, cell: (row) => num(row.handled) },
  { id: 'restarts', label: 'Restarts', num: true, width: '72px', hide: 'narrow', sort: (row) => row.restarts, cell: (row) => (row.restarts ? h('b', {}, num(row.restarts)) : h('span', { class: 'muted' }, '0')) },
  { id: 'now', label: 'Handles', width: 'minmax(120px,1.4fr)', hide: 'medium', cell: (row) => (row.current ? [h('span', { class: 'mono' }, row.current), h('span', { class: 'muted' }, ` ${span(secs(row.busy_for))}`)] : row.last_cause && row.mood === 'bad' ? h('span', { class: 'bad' }, row.last_cause) : '') },
];

const has = (text, part) => text.toLowerCase().includes(part);

export function view(params) {
  const name = (params.get('name') ?? '').toLowerCase().trim();
  const wanted = params.get('state') ?? '';
  const system = params.has('system');
  const elsewhere = params.has('elsewhere');
  const words = name.split(/\s+/).filter(Boolean);
  const own = store.rows.filter((row) => (row.id || system) && (!row.host || elsewhere || row.mood)
    && words.every((word) => has(row.path, word) || has(row.type_name, word) || has(home(row), word)));
  const counts = {};
  own.forEach((row) => { counts[row.state] = (counts[row.state] ?? 0) + 1; if (row.mood) counts.trouble = (counts.trouble ?? 0) + 1; });
  const rows = wanted ? own.filter((row) => (wanted === 'trouble' ? row.mood : row.state === wanted)) : own;
  const shown = seen(columns, params);
  return [h('h1', { class: 'sr' }, 'Actors'),
    h('div', { class: 'bar', key: 'bar' },
      h('input', { type: 'search', placeholder: 'Name, type or place   /', 'aria-label': 'Filter by name, type or place', value: params.get('name') ?? '', oninput: (event) => { state.top = 0; go({ name: event.target.value }); } }),
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by state' }, STATES.filter((id) => counts[id] || id === wanted).map((id) =>
        h('button', { key: id, class: `chip ${id === wanted ? 'on' : ''}`, 'aria-pressed': String(id === wanted), onclick: () => go({ state: id === wanted ? null : id }) }, id === 'trouble' ? 'needs attention' : id, h('span', { class: 'count' }, num(counts[id] ?? 0))))),
      h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: system, onchange: () => go({ system: system ? null : '1' }) }), 'system actors'),
      h('label', { class: 'check', title: 'An actor that lives in another process has a stand-in in each process that calls it' }, h('input', { type: 'checkbox', checked: elsewhere, onchange: () => go({ elsewhere: elsewhere ? null : '1' }) }), 'stand-ins'),
      h('span', { class: 'muted total' }, `${num(rows.length)} shown`)),
    table({ state, columns: shown, rows, keyOf: (row) => row.path, label: 'Actors', again: draw, moodOf: (row) => row.mood,
      onOpen: (row) => go({ actor: row.path }), isOpen: (row) => row.path === params.get('actor'),
      emptyText: name || wanted ? 'No actor fits.' : system ? 'No actors.' : 'No program has an actor now. System actors are shown with the switch above.' })];
}
