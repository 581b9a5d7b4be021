// All there is to say of one actor, beside whatever view one is in.

import { h, secs, span, num, percent, clock, ago, stateTag, meter, actorId, tag, bytes } from './ui.js';
import { store, ask, Poll, now } from './store.js';
import { draw, go } from './app.js';
import { roleName } from './nodes.js';

let poll = null;
let which = null;

/** The path as the head knows it: twins of one name are told apart by us alone. */
const asked = (path) => path.replace(/~\d+(?=\/|$)/g, '').split('/').slice(1).join('/') || path;

async function look(path) {
  const row = store.byPath.get(path);
  const name = row?.id && twin(path) ? actorId(row.id) : asked(path);
  const [detail, story, events] = await Promise.allSettled([
    ask('actor', { which: name }), ask('why', { which: name }), ask('events', { path: asked(path), limit: 20 }),
  ]);
  if (detail.status === 'rejected') throw detail.reason;
  return { detail: detail.value, story: story.value, events: events.value?.events ?? [] };
}

const twin = (path) => /~\d+(\/|$)/.test(path);

/** The drawer, when an actor is chosen. */
export function drawer(path) {
  if (path !== which) {
    poll?.stop();
    which = path;
    poll = path ? new Poll(2000, () => look(path), draw).start() : null;
  }
  if (!path) return null;
  const row = store.byPath.get(path);
  const name = path.split('/').pop();
  return h('aside', { class: 'drawer', key: 'drawer', 'aria-label': `Actor ${name}` },
    h('header', {}, h('h2', {}, name), h('button', { class: 'quiet', onclick: () => go({ actor: null }), 'aria-label': 'Close' }, '✕')),
    h('div', { class: 'scroll', key: path }, h('p', { class: 'crumbs mono' }, crumbs(path)),
      row ? now_(row) : h('p', { class: 'muted' }, 'It is not in the tree any more.'),
      poll.error ? h('p', { class: 'bad' }, poll.error.message) : poll.data ? rest(poll.data, name.replace(/~\d+$/, '')) : h('p', { class: 'muted' }, 'One moment …')));
}

function crumbs(path) {
  const parts = path.split('/');
  return parts.map((part, i) => [i ? ' / ' : '', i === parts.length - 1 ? h('b', {}, part)
    : h('a', { href: '#', onclick: (event) => { event.preventDefault(); go({ actor: parts.slice(0, i + 1).join('/') }); } }, part)]);
}

export const pair = (label, ...value) => h('div', { class: 'pair' }, h('dt', {}, label), h('dd', {}, value));

function now_(row) {
  const full = row.queue_limit > 0 ? `${num(row.queued)} of ${num(row.queue_limit)}` : num(row.queued);
  return h('dl', { class: 'pairs' },
    pair('state', stateTag(row.state), row.healed ? tag('healed', 'ok') : null, row.since ? h('span', { class: 'muted' }, ` since ${clock(row.since)}`) : null),
    row.remark && pair('remark', h('span', { class: 'warn' }, row.remark)),
    row.type_name && pair('type', h('span', { class: 'mono' }, row.type_name), row.id ? h('span', { class: 'muted mono' }, ` ${actorId(row.id)}`) : null),
    row.strategy && pair('strategy', row.strategy),
    pair('process', home(row)),
    row.process && pair('uses', `${percent(row.cpu ?? 0)} CPU, ${bytes(row.process.memory)}, ${num(row.process.threads)} threads, up ${span(Math.floor(secs(row.process.uptime)))}`),
    pair('queue', full, row.queue_limit > 0 ? meter(row.queued, row.queue_limit, `queue ${full}`) : null, row.refused ? h('span', { class: 'bad' }, ` ${num(row.refused)} refused`) : null),
    pair('handled', `${num(row.handled)}, ${num(row.rate)}/s, busy ${percent(Math.min(1, row.share))}`),
    row.current && pair('handles', h('span', { class: 'mono' }, row.current), h('span', { class: 'muted' }, ` for ${span(secs(row.busy_for))}`)),
    pair('restarts', num(row.restarts)));
}

const home = (row) => {
  const role = row.home?.process?.role;
  const name = role ? roleName(row.home) : '';
  return [row.host ? `${row.host}, by way of ` : '', name, h('span', { class: 'muted' }, row.home ? ` pid ${row.home.process.pid}` : '')];
};

function rest({ detail, story, events }, name) {
  return [story && storyOf(story), policy(detail), recorder(detail), h('h3', { key: 'e' }, 'What supervisors decided'),
    events.length ? h('ol', { class: 'log', key: 'el' }, [...events].reverse().map((event) => h('li', { class: event.kind },
      h('time', {}, clock(secs(event.at))), h('b', {}, event.kind.replace('_', ' ')), h('span', {}, event.path.split('/').pop() === name ? null : h('span', { class: 'mono' }, `${event.path.split('/').pop()} `), event.what)))) : h('p', { class: 'muted', key: 'en' }, 'Nothing is in the log.')];
}

/** Why something is as it is, the root cause first. */
export function storyOf(story, isBare = false) {
  if (!story.steps.length) return h('p', { class: 'muted well', key: 'why' }, `Nothing is wrong: ${story.now}.`);
  return h('div', { class: `story ${story.is_cycle ? 'bad' : ''}`, key: 'why' }, isBare && !story.is_cycle ? null : h('h3', {}, story.is_cycle ? 'Deadlock' : 'Why'), isBare ? null : h('p', { class: 'now' }, story.now),
    h('ol', {}, story.steps.map((step) => h('li', {}, h('b', { class: 'mono' }, step.who), ' ', step.what,
      step.age ? h('span', { class: 'muted' }, step.goes_on ? `, for ${span(secs(step.age))}` : `, ${span(secs(step.age))} ago`) : null,
      step.place && h('code', {}, step.place)))));
}

function policy(detail) {
  const { policy: own, intensity } = detail;
  if (!own && !intensity) return null;
  const shutdown = own && (typeof own.shutdown === 'string' ? own.shutdown.toLowerCase() : `${Object.keys(own.shutdown)[0].toLowerCase()} within ${span(secs(Object.values(own.shutdown)[0]))}`);
  return [h('h3', { key: 'p' }, 'Policy'), h('dl', { class: 'pairs', key: 'pp' },
    own && pair('restart', own.restart.toLowerCase(), own.own_restarts ? `, ${num(own.own_restarts)} of its own` : ', counted by its supervisor'),
    own && pair('back-off', `${span(secs(own.backoff.base))} to ${span(secs(own.backoff.max))}`),
    own && pair('end', shutdown),
    intensity && pair('gives up', `after more than ${num(intensity.max)} restarts in ${span(secs(intensity.within))}`),
    detail.next_life_in && pair('next life', `in ${span(secs(detail.next_life_in))}`))];
}

function recorder(detail) {
  return [h('h3', { key: 'r' }, 'Flight recorder'), detail.recorder.length
    ? h('ol', { class: 'log', key: 'rl' }, [...detail.recorder].reverse().map((event) => h('li', {}, h('time', {}, clock(secs(event.at), true)), h('span', {}, event.what))),
      detail.recorder_dropped ? h('li', { class: 'muted' }, `${num(detail.recorder_dropped)} earlier ones dropped`) : null)
    : h('p', { class: 'muted', key: 'rn' }, 'Nothing has happened to it.')];
}

/** The same place, for what is no actor. */
export const recordDrawer = (title, close, ...parts) => h('aside', { class: 'drawer', key: 'drawer', 'aria-label': title },
  h('header', {}, h('h2', {}, title), h('button', { class: 'quiet', onclick: close, 'aria-label': 'Close' }, '✕')),
  h('div', { class: 'scroll' }, parts));
