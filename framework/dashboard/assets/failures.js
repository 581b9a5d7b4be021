// What failed when: one lane for each actor of which the supervision log says something, from its failures to its recoveries.

import { h, s, secs, clock, empty, span, num } from './ui.js';
import { Poll, ask, now, store } from './store.js';
import { draw, go } from './app.js';
import { kindTag } from './events.js';

export const SPANS = [[60, '1 min'], [300, '5 min'], [1800, '30 min'], [7200, '2 h']];
const LANE = 26;
const poll = new Poll(2000, () => ask('events', { limit: 5000, since: Math.max(0, now() - window_()) }), draw);
export const leave = () => poll.stop();
let chosen = 300;
const window_ = () => chosen;

/** An actor of users and its stand-ins share a lane: their names end in their number. */
const laneOf = (path) => {
  const name = path.split('/').pop();
  return /#[0-9a-f]+$/.test(name) ? name : path;
};

/** Lanes with the times during which each was down, and marks; always in the same order. */
export function lanes(events, end) {
  const all = new Map();
  for (const event of [...events].sort((a, b) => secs(a.at) - secs(b.at))) {
    const key = laneOf(event.path);
    const lane = all.get(key) ?? { key, path: event.path, downs: [], marks: [], since: null, ended: null };
    const at = secs(event.at);
    lane.marks.push({ at, event });
    if (event.kind === 'failed') lane.since ??= at;
    // What a stand-in says of the end may be followed by the next life elsewhere.
    if (event.kind === 'ended') lane.ended = at;
    if (event.kind === 'restart') { lane.ended = null; lane.path = event.path; }
    if (event.kind === 'up' && lane.since !== null) {
      lane.downs.push([lane.since, at]);
      lane.since = null;
      lane.ended = null;
    }
    all.set(key, lane);
  }
  for (const lane of all.values()) if (lane.since !== null) lane.downs.push([lane.since, lane.ended ?? end]);
  return [...all.values()].sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }));
}

export function view(params, switch_) {
  const wanted = Number(params.get('span')) || 300;
  if (wanted !== chosen) { chosen = wanted; poll.stop(); poll.data = null; }
  poll.start();
  const end = now();
  const found = lanes(poll.data?.events ?? [], end);
  const shown = found.slice(0, 200);
  const main = document.getElementById('main');
  const width = Math.max(320, (main?.clientWidth ?? 900) - 32);
  const left = Math.min(220, width * 0.32);
  const x = (t) => left + ((t - (end - chosen)) / chosen) * (width - left - 8);
  return [
    h('div', { class: 'bar', key: 'bar' }, switch_, h('div', { class: 'chips', role: 'group', 'aria-label': 'How far back' }, SPANS.map(([t, label]) =>
      h('button', { key: t, class: `chip ${t === chosen ? 'on' : ''}`, 'aria-pressed': String(t === chosen), onclick: () => go({ span: t === 300 ? null : t }) }, label))),
    h('span', { class: 'muted total' }, found.length ? `${num(found.length)} actors had something happen` : '')),
    poll.error ? empty(poll.error.message) : !shown.length ? empty(poll.data ? `Nothing has failed in the last ${SPANS.find(([t]) => t === chosen)?.[1] ?? span(chosen)}.` : 'One moment …', 'Each actor that fails gets a lane: red while it is down.')
      : h('div', { class: 'lanes', key: 'lanes' }, s('svg', { width, height: shown.length * LANE + 28, role: 'img', 'aria-label': 'When actors were down' },
        ticks(end, x, shown.length * LANE), shown.map((lane, i) => row(lane, i * LANE + 24, x, left, end))))];
}

function ticks(end, x, height) {
  const step = chosen <= 60 ? 10 : chosen <= 300 ? 60 : chosen <= 1800 ? 300 : 1200;
  const out = [];
  for (let t = Math.ceil((end - chosen) / step) * step; t <= end; t += step)
    out.push(s('g', { key: `t${t}`, class: 'tick' }, s('line', { x1: x(t), x2: x(t), y1: 18, y2: height + 24 }), s('text', { x: x(t), y: 12, 'text-anchor': 'middle' }, clock(t).slice(0, step < 60 ? 8 : 5))));
  return out;
}

function row(lane, y, x, left, end) {
  const name = lane.path.split('/').pop();
  const clip = (t) => Math.max(left, x(t));
  return s('g', { key: lane.key, class: 'lane', tabindex: '0', onclick: () => go({ actor: lane.path }), onkeydown: (event) => event.key === 'Enter' && go({ actor: lane.path }) },
    s('title', {}, lane.path), s('rect', { class: 'hit', x: 0, y, width: x(end) + 8, height: LANE }),
    s('text', { x: 8, y: y + 17 }, name.length > 26 ? `${name.slice(0, 25)}…` : name),
    s('line', { class: 'base', x1: left, x2: x(end), y1: y + LANE / 2, y2: y + LANE / 2 }),
    lane.downs.map(([from, to]) => s('rect', { class: 'down', x: clip(from), y: y + 7, width: Math.max(3, x(to) - clip(from)), height: 12, rx: 2 }, s('title', {}, `down for ${span(to - from)} from ${clock(from, true)}`))),
    lane.marks.filter((mark) => x(mark.at) >= left && (chosen <= 60 || mark.event.kind === 'gave_up' || mark.event.kind === 'warning')).slice(-200).map((mark) => s('circle', { class: mark.event.kind, cx: x(mark.at), cy: y + LANE / 2, r: 3.5 }, s('title', {}, `${clock(mark.at, true)} ${mark.event.kind.replace('_', ' ')}: ${mark.event.what}`))));
}
