// Tasks, and calls that have no answer yet: how far each function is, and one by one.

import { h, num, span, secs, stateTag, glyph, tone, panel, empty, clock, plural } from './ui.js';
import { store, Poll, ask, now } from './store.js';
import { draw, go } from './app.js';
import { table, seen } from './table.js';
import { roleName } from './nodes.js';
import { recordDrawer, pair } from './detail.js';

const STATES = ['running', 'waiting', 'sent', 'queued', 'pending_arguments', 'failed', 'cancelled', 'finished'];
const OVER = ['failed', 'cancelled', 'finished'];
const MOST = 2000;
const state = { sort: '', down: false };
export const word = (name) => name.replace('_', ' ');

let asked = { state: '', name: '' };
const poll = new Poll(2000, async () => {
  const where = [asked.state && `state=${asked.state}`, asked.name && !asked.name.includes(',') && `name=${asked.name}`].filter(Boolean).join(',');
  const [counts, rows] = await Promise.all([ask('tasks', { summary: true }), ask('tasks', { where, limit: MOST })]);
  keyed(rows.rows);
  return { counts, rows };
}, draw);
export const leave = () => poll.stop();

const amounts = (resources) => Object.entries(resources?.amounts ?? {}).map(([name, amount]) => `${num(amount / 1000)} ${name}`).join(', ');
const id = (task) => (task.id ? `task-${task.id.runtime}-${BigInt(task.id.number).toString(16)}` : '');
const keyOf = (task) => task.key;

/** Gives each its key: calls have no id, and several may be alike. */
function keyed(rows) {
  const seen = new Map();
  for (const task of rows) {
    const key = id(task) ? `${id(task)}-${task.attempt}` : `call-${task.pid}-${task.name}-${task.actor?.runtime}-${task.actor?.number}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    task.key = count > 1 ? `${key}~${count}` : key;
  }
  return rows;
}

/** What a process is called of which the number is known. */
export function processOf(pid) {
  const row = store.rows.find((own) => own.process?.pid === pid);
  return row ? roleName(row) : `pid ${pid}`;
}
const place = (task) => task.host ?? processOf(task.pid);

/** How long its body ran or runs; how long it has waited before that. */
function took(task) {
  if (task.began) return secs(task.ended ?? { secs: now(), nanos: 0 }) - secs(task.began);
  return null;
}
const waits = (task) => (task.submitted && !task.began && !task.ended ? Math.max(0, now() - secs(task.submitted)) : null);

/** In its largest unit. */
const coarse = (t) => (t < 60 ? `${Math.floor(t)} s` : t < 3600 ? `${Math.floor(t / 60)} min` : `${Math.floor(t / 3600)} h`);

const isNarrow = innerWidth < 720;
const columns = [
  { id: 'name', label: 'Function', width: isNarrow ? 'minmax(100px,1fr)' : 'minmax(140px,1.8fr)', sort: (task) => task.name, cell: (task) => [h('b', {}, task.name), task.attempt ? h('span', { class: 'muted' }, ` run ${num(task.attempt + 1)}`) : null] },
  { id: 'state', label: 'State', width: isNarrow ? '108px' : '140px', sort: (task) => STATES.indexOf(task.state), cell: (task) => stateTag(word(task.state)) },
  { id: 'kind', label: 'Kind', width: '52px', hide: 'medium', sort: (task) => task.kind, cell: (task) => h('span', { class: 'muted' }, task.kind) },
  { id: 'where', label: 'Where', width: 'minmax(110px,1.2fr)', hide: 'narrow', sort: place, cell: place },
  { id: 'wants', label: 'Asks for', width: 'minmax(60px,.7fr)', hide: 'medium', cell: (task) => h('span', { class: 'muted' }, amounts(task.wants)) },
  { id: 'since', label: 'Submitted', num: true, width: '82px', hide: 'narrow', sort: (task) => secs(task.submitted), cell: (task) => (task.submitted ? h('span', { class: 'mono muted' }, clock(secs(task.submitted))) : '') },
  { id: 'took', label: 'Runs', num: true, width: isNarrow ? '84px' : '112px', sort: took, cell: (task) => (took(task) !== null ? span(Math.max(0, took(task))) : waits(task) !== null ? h('span', { class: 'muted' }, `waits ${coarse(waits(task))}`) : '') },
  { id: 'error', label: 'Error', width: 'minmax(100px,1.6fr)', hide: 'narrow', cell: (task) => h('span', { class: 'bad', title: task.error }, task.error) },
];

/** Counts by name: what is under way first. */
function functions(counts) {
  const all = new Map();
  for (const { name, state: own, count } of counts) {
    const one = all.get(name) ?? { name, total: 0, open: 0, failed: 0, states: {} };
    one.total += count;
    one.states[own] = (one.states[own] ?? 0) + count;
    if (!OVER.includes(own)) one.open += count;
    if (own === 'failed') one.failed += count;
    all.set(name, one);
  }
  return [...all.values()].sort((a, b) => (b.open > 0) - (a.open > 0) || b.total - a.total || a.name.localeCompare(b.name));
}

/** So many have a process to run them. */
const busy = ({ states }) => (states.running ?? 0) + (states.waiting ?? 0) + (states.sent ?? 0);

function progress(one) {
  const order = ['finished', 'failed', 'cancelled', 'running', 'waiting', 'sent', 'queued', 'pending_arguments'];
  const text = order.filter((id_) => one.states[id_]).map((id_) => `${num(one.states[id_])} ${word(id_)}`).join(', ');
  return h('li', { key: one.name, class: asked.name === one.name ? 'open' : '' }, h('a', { href: '#', title: text, onclick: (event) => { event.preventDefault(); go({ name: asked.name === one.name ? null : one.name }); } },
    h('b', {}, one.name),
    h('span', { class: 'stack', role: 'img', 'aria-label': text }, order.filter((id_) => one.states[id_]).map((id_) => h('span', { class: id_, key: id_, style: { 'flex-grow': one.states[id_] } }))),
    h('span', { class: 'num' }, `${num(one.total - one.open)} / ${num(one.total)}`),
    h('span', { class: 'num more' }, one.failed ? h('span', { class: 'bad' }, `✗ ${num(one.failed)} failed`) : busy(one) ? h('span', {}, `● ${num(busy(one))} at work`) : one.open ? h('span', { class: 'muted' }, `◇ ${num(one.open)} wait`) : h('span', { class: 'muted' }, '✓ done'))));
}

export function view(params) {
  const wanted = { state: params.get('state') ?? '', name: params.get('name') ?? '' };
  if (wanted.state !== asked.state || wanted.name !== asked.name) { asked = wanted; state.top = 0; poll.stop(); }
  poll.start();
  const counts = poll.data?.counts.counts ?? [];
  const by = {};
  counts.filter((own) => !asked.name || own.name === asked.name).forEach((own) => { by[own.state] = (by[own.state] ?? 0) + own.count; });
  const names = functions(counts);
  const most = innerWidth < 900 ? 4 : 6;
  const listing = poll.data?.rows;
  const rows = listing?.rows ?? [];
  return [h('h1', { class: 'sr' }, 'Tasks'),
    poll.error ? empty(poll.error.message) : null,
    names.length ? panel('By function', { aside: `${plural(names.length, 'function')}${poll.data.counts.dropped ? `, ${num(poll.data.counts.dropped)} attempts forgotten` : ''}` },
      h('ul', { class: 'plain progress' }, names.slice(0, most).map(progress)), names.length > most ? h('footer', { class: 'muted' }, `and ${num(names.length - most)} more`) : null) : null,
    h('div', { class: 'bar', key: 'bar' },
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Filter by state' }, STATES.filter((one) => by[one] || one === asked.state).map((one) =>
        h('button', { key: one, class: `chip ${one === asked.state ? 'on' : ''}`, 'aria-pressed': String(one === asked.state), onclick: () => go({ state: one === asked.state ? null : one }) }, h('i', { 'aria-hidden': 'true', class: tone(word(one)) }, glyph(word(one))), word(one), h('span', { class: 'count' }, num(by[one] ?? 0))))),
      asked.name ? h('button', { class: 'chip on', onclick: () => go({ name: null }) }, `${asked.name} ✕`) : null,
      h('span', { class: 'muted total' }, listing ? `${num(rows.length)} shown${listing.total > rows.length ? ` of ${num(listing.total)}` : ''}` : '')),
    missing(listing),
    table({ state, columns: seen(columns, params), rows, keyOf, label: 'Tasks', again: draw, moodOf: (task) => (task.state === 'failed' ? 'bad way' : ''),
      onOpen: (task) => go({ task: keyOf(task) }), isOpen: (task) => keyOf(task) === params.get('task'),
      emptyText: !poll.data ? 'One moment …' : asked.state || asked.name ? 'No task fits.' : 'No program has run a task. Calls of actors are listed while they have no answer.' })];
}

/** Processes that are not in a list. */
export const missing = (listing) => (listing?.missing?.length ? h('p', { class: 'banner warn', key: 'missing' }, `Silent, and not in this list: ${listing.missing.map((one) => `${one.path} (${one.why})`).join(', ')}`) : null);

/** All of one task, beside the list. */
export function side(params) {
  const key = params.get('task');
  if (!key) return null;
  const task = poll.data?.rows.rows.find((own) => keyOf(own) === key);
  if (!task) return recordDrawer('Task', () => go({ task: null }), h('p', { class: 'muted' }, poll.data ? 'It is not in the list any more.' : 'One moment …'));
  const parent = task.parent ? `task-${task.parent.runtime}-${BigInt(task.parent.number).toString(16)}` : null;
  return recordDrawer(task.name, () => go({ task: null }),
    h('dl', { class: 'pairs' }, pair('state', stateTag(word(task.state))), pair('kind', task.kind === 'call' ? 'a call of an actor' : 'a task'),
      id(task) && pair('id', h('span', { class: 'mono' }, id(task))), pair('run', num(task.attempt + 1)),
      parent && pair('started by', h('span', { class: 'mono' }, parent)),
      task.job !== undefined && pair('job', h('span', { class: 'mono' }, `job-${task.job}`)),
      pair('from', processOf(task.pid), h('span', { class: 'muted' }, ` pid ${task.pid}`)), task.host && pair('runs on', task.host),
      amounts(task.wants) && pair('asks for', amounts(task.wants)),
      task.submitted && pair('submitted', clock(secs(task.submitted), true)), task.began && pair('began', clock(secs(task.began), true)),
      task.ended && pair('ended', clock(secs(task.ended), true)), took(task) !== null && pair(task.ended ? 'ran' : 'runs', span(Math.max(0, took(task))))),
    task.error && [h('h3', {}, 'Error'), h('pre', { class: 'bad wrap' }, task.error)]);
}
