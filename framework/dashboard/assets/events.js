// What failed, and what supervisors decided.

import { h, num, secs, clock, empty } from './ui.js';
import { Poll, ask, store } from './store.js';
import { draw, go } from './app.js';
import { table, seen } from './table.js';

const KINDS = ['failed', 'restart', 'up', 'ended', 'gave_up', 'warning'];
const SIGNS = { failed: '✗', restart: '↻', up: '●', ended: '□', gave_up: '⚑', warning: '▲' };
const MOODS = { failed: 'bad', gave_up: 'bad', restart: 'warn', warning: 'warn', up: 'ok', ended: 'calm' };
const state = { sort: '' };
const word = (kind) => kind.replace('_', ' ');

let asked = '';
const poll = new Poll(1500, () => {
  const [kind, path] = asked.split('\n');
  return ask('events', { limit: 2000, kind: kind.replace('_', '-'), path });
}, draw);
export const leave = () => poll.stop();

export const kindTag = (kind) => h('span', { class: `state ${MOODS[kind]}` }, h('i', { 'aria-hidden': 'true' }, SIGNS[kind]), word(kind));
const open = (event) => go({ actor: store.byPath.has(event.path) ? event.path : event.path });

/** One line of a short list. */
export const eventLine = (event) => h('li', { class: event.kind, key: `${event.pid}-${event.number}` }, h('time', {}, clock(secs(event.at))), kindTag(event.kind),
  h('a', { href: '#', onclick: (click) => { click.preventDefault(); open(event); } }, event.path.split('/').pop()), h('span', { class: 'muted' }, event.what));

const columns = [
  { id: 'at', label: 'Time', width: innerWidth < 720 ? '62px' : '96px', cell: (event) => h('time', { class: 'mono', title: new Date(secs(event.at) * 1000).toISOString() }, clock(secs(event.at), innerWidth >= 720)) },
  { id: 'kind', label: 'Kind', width: innerWidth < 720 ? '78px' : '98px', cell: (event) => kindTag(event.kind) },
  { id: 'who', label: 'Who', width: 'minmax(110px,1fr)', cell: (event) => h('span', { title: event.path }, h('b', {}, event.path.split('/').pop()), innerWidth < 720 ? h('span', { class: 'muted' }, ` ${event.what}`) : null) },
  { id: 'what', label: 'What', width: 'minmax(160px,2.2fr)', hide: 'narrow', cell: (event) => h('span', { title: event.what }, event.what) },
  { id: 'where', label: 'Where', width: 'minmax(90px,1fr)', hide: 'medium', cell: (event) => h('span', { class: 'muted mono', title: event.path }, event.path.split('/').slice(1, -1).join('/')) },
];

export function view(params) {
  const kind = params.get('kind') ?? '';
  const path = params.get('path') ?? '';
  const now = `${kind}\n${path}`;
  if (now !== asked) { asked = now; poll.stop(); poll.data = null; }
  poll.start();
  const events = [...(poll.data?.events ?? [])].reverse();
  const shown = seen(columns, params);
  const missing = poll.data?.missing ?? [];
  return [h('h1', { class: 'sr' }, 'Events'),
    h('div', { class: 'bar', key: 'bar' },
      h('input', { type: 'search', placeholder: 'At this path and below   /', 'aria-label': 'Only at this path and below', value: path, onchange: (event) => go({ path: event.target.value }) }),
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by kind' }, KINDS.map((id) =>
        h('button', { key: id, class: `chip ${id === kind ? 'on' : ''}`, 'aria-pressed': String(id === kind), onclick: () => go({ kind: id === kind ? null : id }) }, h('i', { 'aria-hidden': 'true' }, SIGNS[id]), word(id)))),
      h('span', { class: 'muted total' }, poll.data ? `${num(events.length)} shown${poll.data.more ? `, ${num(poll.data.more)} older` : ''}${poll.data.dropped ? `, ${num(poll.data.dropped)} dropped` : ''}` : '')),
    missing.length ? h('p', { class: 'banner warn', key: 'missing' }, `Not asked, or silent: ${missing.map((one) => `${one.path} (${one.why})`).join(', ')}`) : null,
    poll.error ? empty(poll.error.message) : table({ state, columns: shown, rows: events, keyOf: (event) => `${event.pid}-${event.number}-${event.path}`, label: 'Events', again: draw,
      onOpen: open, emptyText: poll.data ? 'Nothing of that kind has happened.' : 'One moment …' })];
}
