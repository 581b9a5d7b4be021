// Objects that are still to come, or that several processes hold.

import { h, num, stateTag, empty, glyph, tone } from './ui.js';
import { Poll, ask } from './store.js';
import { draw, go } from './app.js';
import { table, seen } from './table.js';
import { processOf, missing } from './tasks.js';

const STATES = ['pending', 'ready', 'failed'];
const state = { sort: '' };
let asked = '';
const poll = new Poll(2000, async () => {
  const [counts, rows] = await Promise.all([ask('objects', { summary: true }), ask('objects', { where: asked && `state=${asked}`, limit: 2000 })]);
  return { counts: counts.counts, rows };
}, draw);
export const leave = () => poll.stop();

const columns = [
  { id: 'name', label: 'Made by', width: 'minmax(140px,1.5fr)', sort: (own) => own.name, cell: (own) => h('b', {}, own.name) },
  { id: 'state', label: 'State', width: '110px', sort: (own) => STATES.indexOf(own.state), cell: (own) => stateTag(own.state, own.state === 'pending' ? 'calm' : undefined) },
  { id: 'waiters', label: 'Waiters', num: true, width: '76px', sort: (own) => own.waiters, cell: (own) => (own.waiters ? num(own.waiters) : h('span', { class: 'muted' }, '0')) },
  { id: 'pid', label: 'Lies in', width: 'minmax(110px,1fr)', hide: 'narrow', sort: (own) => processOf(own.pid), cell: (own) => processOf(own.pid) },
  { id: 'held', label: 'Held by', width: 'minmax(140px,2fr)', hide: 'narrow', sort: (own) => (own.held_by ?? []).length, cell: (own) => ((own.held_by ?? []).length ? own.held_by.join(', ') : h('span', { class: 'muted' }, 'nobody else')) },
];

export function view(params) {
  const wanted = params.get('state') ?? '';
  if (wanted !== asked) { asked = wanted; poll.stop(); }
  poll.start();
  const by = {};
  (poll.data?.counts ?? []).forEach((own) => { by[own.state] = (by[own.state] ?? 0) + own.count; });
  const listing = poll.data?.rows;
  const rows = (listing?.rows ?? []).map((own, i) => ({ ...own, key: `${own.pid}-${own.name}-${i}` }));
  return [h('h1', { class: 'sr' }, 'Objects'),
    poll.error ? empty(poll.error.message) : null,
    h('div', { class: 'bar', key: 'bar' },
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by state' }, STATES.filter((one) => by[one] || one === asked).map((one) =>
        h('button', { key: one, class: `chip ${one === asked ? 'on' : ''}`, 'aria-pressed': String(one === asked), onclick: () => go({ state: one === asked ? null : one }) }, h('i', { 'aria-hidden': 'true', class: one === 'pending' ? 'calm' : tone(one) }, glyph(one)), one, h('span', { class: 'count' }, num(by[one] ?? 0))))),
      h('span', { class: 'muted' }, 'still to come, or held by several processes'),
      h('span', { class: 'muted total' }, listing ? `${num(rows.length)} shown${listing.total > rows.length ? ` of ${num(listing.total)}` : ''}` : '')),
    missing(listing),
    table({ state, columns: seen(columns, params), rows, keyOf: (own) => own.key, label: 'Objects', again: draw,
      emptyText: poll.data ? (asked ? 'No object fits.' : 'No object is on its way or held by several processes. What one process alone has is a value in its memory.') : 'One moment …' })];
}
