// Objects that are still to come, that lie in a store, or that several processes hold.

import { h, num, bytes, span, secs, stateTag, tag, empty, glyph, tone } from './ui.js';
import { Poll, ask, now } from './store.js';
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

const none = (text) => h('span', { class: 'muted' }, text);
const count = (n) => (n ? num(n) : none('0'));
const owner = (own) => own.owner || processOf(own.pid);
const place = (own) => (own.place ? [own.place, own.store].filter(Boolean).join(' of ') : '');
/** How long it has been listed. */
const age = (own) => (own.since ? Math.max(0, now() - secs(own.since)) : null);
/** The last folders of a path and the line: enough to find it. */
const short = (site) => (site ?? '').split('/').slice(-3).join('/');

const columns = [
  { id: 'name', label: 'Made by', width: 'minmax(96px,1.5fr)', sort: (own) => own.name, cell: (own) => h('b', {}, own.name) },
  { id: 'state', label: 'State', width: '92px', sort: (own) => STATES.indexOf(own.state), cell: (own) => stateTag(own.state, own.state === 'pending' ? 'calm' : undefined) },
  { id: 'size', label: 'Size', num: true, width: '74px', sort: (own) => own.size ?? -1, cell: (own) => (own.size === undefined ? none('–') : bytes(own.size)) },
  { id: 'place', label: 'Place', width: 'minmax(60px,.8fr)', hide: 'narrow', sort: place, cell: (own) => (own.place === 'disk' ? tag(place(own), 'warn') : place(own) || none('–')) },
  { id: 'age', label: 'Age', num: true, width: '56px', hide: 'narrow', sort: (own) => age(own) ?? -1, cell: (own) => (age(own) === null ? none('–') : span(Math.floor(age(own)))) },
  { id: 'owner', label: 'Owner', width: 'minmax(80px,1fr)', hide: 'narrow', sort: owner, cell: owner },
  { id: 'held', label: 'Held by', width: 'minmax(80px,1.4fr)', hide: 'narrow', sort: (own) => (own.held_by ?? []).length, cell: (own) => ((own.held_by ?? []).length ? own.held_by.join(', ') : none('nobody else')) },
  { id: 'references', label: 'Refs', num: true, width: '50px', hide: 'medium', sort: (own) => own.references, cell: (own) => count(own.references) },
  { id: 'pins', label: 'Pins', num: true, width: '44px', hide: 'medium', sort: (own) => own.pins, cell: (own) => count(own.pins) },
  { id: 'used', label: 'Used by', num: true, width: '60px', hide: 'medium', sort: (own) => own.used_by, cell: (own) => count(own.used_by) },
  { id: 'waiters', label: 'Waiters', num: true, width: '62px', hide: 'narrow', sort: (own) => own.waiters, cell: (own) => count(own.waiters) },
  { id: 'site', label: 'Call site', width: 'minmax(84px,1.4fr)', hide: 'medium', sort: (own) => own.call_site ?? '', cell: (own) => h('span', { class: 'mono muted', title: own.call_site }, short(own.call_site)) },
];

export function view(params) {
  const wanted = params.get('state') ?? '';
  if (wanted !== asked) { asked = wanted; poll.stop(); }
  poll.start();
  const by = {};
  (poll.data?.counts ?? []).forEach((own) => { by[own.state] = (by[own.state] ?? 0) + own.count; });
  const listing = poll.data?.rows;
  const rows = (listing?.rows ?? []).map((own, i) => ({ ...own, key: `${own.pid}-${own.name}-${i}` }));
  const taken = rows.reduce((sum, own) => sum + (own.size ?? 0), 0);
  return [h('h1', { class: 'sr' }, 'Objects'),
    poll.error ? empty(poll.error.message) : null,
    h('div', { class: 'bar', key: 'bar' },
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by state' }, STATES.filter((one) => by[one] || one === asked).map((one) =>
        h('button', { key: one, class: `chip ${one === asked ? 'on' : ''}`, 'aria-pressed': String(one === asked), onclick: () => go({ state: one === asked ? null : one }) }, h('i', { 'aria-hidden': 'true', class: one === 'pending' ? 'calm' : tone(one) }, glyph(one)), one, h('span', { class: 'count' }, num(by[one] ?? 0))))),
      h('span', { class: 'muted' }, 'still to come, in a store, or held by several processes'),
      h('span', { class: 'muted total' }, listing ? `${num(rows.length)} shown${listing.total > rows.length ? ` of ${num(listing.total)}` : ''}${taken ? `, ${bytes(taken)}` : ''}` : '')),
    missing(listing),
    table({ state, columns: seen(columns, params), rows, keyOf: (own) => own.key, label: 'Objects', again: draw,
      emptyText: poll.data ? (asked ? 'No object fits.' : 'No object is on its way, in a store or held by several processes. What one process alone has on its heap is a value in its memory.') : 'One moment …' })];
}
