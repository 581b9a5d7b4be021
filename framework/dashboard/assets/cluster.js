// The whole on one screen: what needs somebody, how full it is, what happened last.

import { h, num, bytes, percent, span, secs, spark, meter, panel, stateTag, tag, plural, empty, clock, actorId } from './ui.js';
import { store, Poll, ask } from './store.js';
import { draw, go } from './app.js';
import { eventLine } from './events.js';
import { roleName } from './nodes.js';

const poll = new Poll(3000, () => ask('events', { limit: 60 }), draw);
export const leave = () => poll.stop();

const tile = (label, value, more, mood = '') => h('div', { class: `tile ${mood}`, key: label }, h('span', { class: 'label' }, label), h('strong', {}, value), h('span', { class: 'more' }, more));

/** What all nodes have and what is granted of it, by resource. */
export function resources(status) {
  const all = new Map();
  for (const node of status?.nodes ?? []) {
    for (const [name, amount] of Object.entries(node.total.amounts)) {
      const own = all.get(name) ?? { total: 0, free: 0 };
      all.set(name, { total: own.total + amount / 1000, free: own.free + (node.free.amounts[name] ?? 0) / 1000 });
    }
  }
  return [...all].sort(([a], [b]) => (a === 'CPU' ? -1 : b === 'CPU' ? 1 : a.localeCompare(b)));
}

export function view() {
  poll.start();
  const { status, totals, history } = store;
  const troubles = distinct(store.troubles);
  const up = status?.nodes.filter((node) => node.phase === 'up').length ?? 0;
  const count = status?.nodes.length ?? 0;
  const running = totals.states.running ?? 0;
  return [
    h('h1', { class: 'sr' }, 'Cluster'),
    h('div', { class: 'tiles', key: 'tiles' },
      tile('Nodes', `${up} / ${count}`, up === count && count ? 'all up' : count ? `${count - up} not up` : 'none has joined', up === count && count ? '' : 'warn'),
      tile('Actors', num(totals.actors), totals.actors ? (running === totals.actors ? 'all running' : `${num(running)} running, ${num(totals.actors - running)} not`) : `${plural(totals.system, 'system actor')}`, running < totals.actors ? 'warn' : ''),
      tile('Jobs', num(status?.jobs.length ?? 0), plural(status?.detached_count ?? 0, 'detached actor')),
      h('div', { class: 'tile wide', key: 'rate' }, h('span', { class: 'label' }, 'Messages'), h('strong', {}, `${num(Math.round(totals.rate))}/s`), spark(history.rate, 160, 34, 'messages a second, last three minutes')),
      h('div', { class: 'tile wide', key: 'cpu' }, h('span', { class: 'label' }, 'CPU of all processes'), h('strong', {}, percent(totals.cpu)), spark(history.cpu, 160, 34, 'CPU, last three minutes')),
      tile('Memory', bytes(totals.memory), `${plural(totals.processes, 'process').replace('processs', 'processes')}`)),
    h('div', { class: 'columns', key: 'columns' },
      panel('Needs attention', { class: troubles.length ? '' : 'calm', aside: troubles.length ? num(troubles.length) : null }, troubles.length
        ? h('ul', { class: 'plain' }, troubles.slice(0, 12).map(trouble), troubles.length > 12 && h('li', { class: 'muted more' }, h('a', { href: '#/actors?state=trouble&system=1' }, `and ${num(troubles.length - 12)} more`)))
        : empty(store.at ? 'Nothing does.' : 'One moment …', 'Failing, waiting and overfull actors, and silent processes, stand here.')),
      panel('Resources', { aside: 'granted of all' }, resources(status).length ? h('ul', { class: 'plain bars' }, resources(status).map(([name, own]) =>
        h('li', { key: name }, h('span', {}, name), meter(own.total - own.free, own.total, `${name}: ${num(own.total - own.free)} of ${num(own.total)}`, 'use'), h('span', { class: 'num' }, `${num(own.total - own.free)} / ${num(own.total)}`)))) : empty('No node offers anything.')),
      panel('Processes', { aside: 'the busiest' }, h('ul', { class: 'plain procs' }, processes().slice(0, 7).map((row) => h('li', { key: row.path, onclick: () => go({ actor: row.path }) },
        h('span', { class: 'name' }, roleName(row)), row.process.stale ? tag(`silent for ${span(secs(row.process.stale))}`, 'warn') : null,
        h('span', { class: 'num' }, percent(row.cpu ?? 0)), h('span', { class: 'num' }, bytes(row.process.memory)))))),
      panel('Latest events', { aside: h('a', { href: '#/events' }, 'all') }, poll.data?.events.length
        ? h('ol', { class: 'log' }, together(poll.data.events).slice(0, 9).map(eventLine)) : empty(poll.error?.message ?? 'Nothing has failed.')))];
}

/** The newest first. What several processes say of one actor at once is said once. */
function together(events) {
  const seen = new Map();
  const out = [];
  for (const event of [...events].reverse()) {
    const key = `${event.kind} ${event.path.split('/').pop()} ${event.what}`;
    const before = seen.get(key);
    if (before !== undefined && before - secs(event.at) < 1) continue;
    seen.set(key, secs(event.at));
    out.push(event);
  }
  return out;
}

/** The same of those that need attention: an actor and its stand-ins are one. */
function distinct(rows) {
  const seen = new Map();
  for (const row of rows) {
    const key = row.id ? `${actorId(row.id)} ${row.name}` : row.path;
    const own = seen.get(key);
    if (!own || (own.host && !row.host)) seen.set(key, row);
  }
  return [...seen.values()];
}

const processes = () => store.rows.filter((row) => row.process).sort((a, b) => (b.cpu ?? 0) - (a.cpu ?? 0) || b.process.memory - a.process.memory);

function trouble(row) {
  const why = row.remark ?? (row.process?.stale ? `silent for ${span(secs(row.process.stale))}` : row.mood && row.queue_limit && row.queued / row.queue_limit >= 0.5 ? `queue ${num(row.queued)} of ${num(row.queue_limit)}` : row.last_cause);
  return h('li', { class: row.mood, key: row.path }, h('a', { href: `#/cluster?actor=${encodeURIComponent(row.path)}` },
    stateTag(row.process?.stale ? 'old' : row.state, row.mood), h('b', {}, row.name), h('span', { class: 'muted why' }, why ?? (row.since ? `since ${clock(row.since)}` : ''))));
}
