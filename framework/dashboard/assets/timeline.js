// What ran when: the bodies of tasks and the messages of actors, process by process, on a canvas that is moved and zoomed.

import { h, num, secs, span, clock, empty, actorId } from './ui.js';
import { store, Poll, ask, now } from './store.js';
import { draw, go } from './app.js';
import { lanesOf } from './lanes.js';
import { missing } from './tasks.js';
import * as failures from './failures.js';

const LANE = 20;
const TOP = 22;
const LENGTHS = [[10, '10 s'], [60, '1 min'], [300, '5 min'], [1800, '30 min']];
const MOST = 20000;
/** What is seen: so many seconds up to `end`, or up to now, from the lane at `top` on. */
const eye = { length: 60, end: null, top: 0 };
let lanes = [];
let system = false;
let under = null;
let grabbed = null;

const poll = new Poll(2000, async () => {
  const end = eye.end ?? now();
  const trace = await ask('timeline', { since: Math.max(0, end - eye.length * 1.1).toFixed(3), limit: MOST });
  lanes = lanesOf(trace.processes, system);
  return trace;
}, draw);
export const leave = () => { poll.stop(); failures.leave(); };

const left = () => (innerWidth < 720 ? 96 : 190);

function switch_(of) {
  return h('div', { class: 'chips', role: 'group', 'aria-label': 'What is shown' }, [['work', 'work'], ['failures', 'failures']].map(([id, label]) =>
    h('button', { key: id, class: `chip ${id === of ? 'on' : ''}`, 'aria-pressed': String(id === of), onclick: () => go({ of: id === 'work' ? null : id }) }, label)));
}

export function view(params) {
  const title = h('h1', { class: 'sr' }, 'Timeline');
  if (params.get('of') === 'failures') {
    poll.stop();
    return [title, failures.view(params, switch_('failures'))];
  }
  failures.leave();
  if (system !== params.has('system')) {
    system = params.has('system');
    lanes = lanesOf(poll.data?.processes ?? [], system);
  }
  if (eye.end === null) poll.start(); else poll.stop();
  const trace = poll.data;
  const spans = trace ? trace.processes.reduce((sum, own) => sum + own.spans.length, 0) : 0;
  const dropped = trace ? trace.processes.reduce((sum, own) => sum + own.dropped, 0) : 0;
  const set = (length, end) => { eye.length = length; eye.end = end; poll.stop(); draw(); };
  return [title, h('div', { class: 'bar', key: 'bar' }, switch_('work'),
    h('div', { class: 'chips', role: 'group', 'aria-label': 'How much time is seen' }, LENGTHS.map(([length, label]) =>
      h('button', { key: length, class: `chip ${eye.length === length && eye.end === null ? 'on' : ''}`, 'aria-pressed': String(eye.length === length && eye.end === null), onclick: () => set(length, null) }, label))),
    h('button', { class: `chip ${eye.end === null ? 'on' : ''}`, 'aria-pressed': String(eye.end === null), onclick: () => set(eye.length, eye.end === null ? now() : null) }, eye.end === null ? '❚❚ pause' : '▶ follow'),
    h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: system, onchange: () => go({ system: system ? null : '1' }) }), 'system actors'),
    h('a', { class: 'chip', href: '/api/v1/timeline?format=chrome', download: 'raytree-timeline.json', title: 'All that is remembered, for Perfetto' }, 'save for Perfetto'),
    h('span', { class: 'muted total' }, trace ? `${num(spans)} spans${dropped ? `, ${num(dropped)} older` : ''}` : '')),
  missing(trace),
  poll.error ? empty(poll.error.message) : h('div', { class: 'canvas', key: 'canvas', tabindex: '0', role: 'img', onkeydown: keys, onpointerdown: grab,
    'aria-label': `What ran in the last ${span(eye.length)}: ${lanes.length} lanes. Arrows move, plus and minus zoom` },
  h('canvas', {}), under ? tip(under) : null,
  trace && !lanes.length ? h('p', { class: 'none' }, 'Nothing has run: the bodies of tasks, and messages that took an actor 10 µs or longer, stand here.') : null)];
}

function tip({ own, lane, x, y }) {
  const room = document.querySelector('.canvas')?.clientWidth ?? 800;
  return h('div', { class: 'tip', key: 'tip', style: x > room - 280 ? { right: `${room - x + 10}px`, top: `${y + 14}px` } : { left: `${x + 12}px`, top: `${y + 14}px` } },
    h('b', {}, own.name), h('span', { class: 'mono' }, span(own.took)),
    h('span', { class: 'muted' }, `${lane.process}${own.line ? `, ${own.line}` : ', a task'}${own.attempt ? `, run ${own.attempt + 1}` : ''}`),
    h('span', { class: 'muted' }, `from ${clock(own.began, true)}`),
    own.outcome ? h('span', { class: own.outcome === 'failed' ? 'bad' : 'muted' }, own.outcome === 'failed' ? '✗ failed' : own.outcome) : own.line ? null : h('span', {}, '● running'));
}

// ---- the canvas --------------------------------------------------------------------------------------------------------

const box = () => document.querySelector('.canvas');
const range = () => { const end = eye.end ?? now(); return [end - eye.length, end]; };

/** Draws what is seen; called after the document is as it should be. */
export function drawn() {
  const own = box();
  const canvas = own?.querySelector('canvas');
  if (!canvas) return;
  const { clientWidth: width, clientHeight: height } = own;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const style = getComputedStyle(own);
  const colour = (name) => style.getPropertyValue(name).trim();
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const theme = document.documentElement.dataset.theme;
  paint(pen, { width, height, isDark: theme ? theme === 'dark' : isDark, font: style.fontFamily, probe: probe(own, colour) });
}

/** Colours as the theme has them: a canvas does not know `light-dark()`. */
function probe(own) {
  const one = own.ownerDocument.createElement('i');
  own.append(one);
  const found = {};
  for (const name of ['--panel', '--sunk', '--line', '--text', '--muted', '--bad', '--strong']) {
    one.style.setProperty('color', `var(${name})`);
    found[name.slice(2)] = getComputedStyle(one).color;
  }
  one.remove();
  return found;
}

function paint(pen, { width, height, isDark, font, probe: colours }) {
  const start = left();
  const [from, to] = range();
  const x = (t) => start + ((t - from) / (to - from)) * (width - start);
  const most = Math.max(0, lanes.length * LANE - (height - TOP));
  eye.top = Math.min(most, Math.max(0, eye.top));
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, width, height);
  const first = Math.floor(eye.top / LANE);
  const last = Math.min(lanes.length, first + Math.ceil(height / LANE) + 1);
  ticks(pen, { x, from, to, height, width, start, colours, font });
  pen.font = `12px ${font}`;
  pen.textBaseline = 'middle';
  for (let i = first; i < last; i += 1) lane(pen, lanes[i], TOP + i * LANE - eye.top, { x, from, to, width, start, isDark, colours, font });
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, start, TOP);
}

function ticks(pen, { x, from, to, height, width, start, colours, font }) {
  const wanted = (to - from) / Math.max(2, (width - start) / 90);
  const step = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800].find((own) => own >= wanted) ?? 3600;
  pen.font = `10.5px ${font}`;
  pen.textBaseline = 'middle';
  pen.textAlign = 'center';
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    const at = Math.round(x(t)) + 0.5;
    pen.strokeStyle = colours.line;
    pen.beginPath(); pen.moveTo(at, TOP); pen.lineTo(at, height); pen.stroke();
    pen.fillStyle = colours.muted;
    if (at > start + 24 && at < width - 26) pen.fillText(step < 1 ? clock(t, true).slice(3) : clock(t).slice(0, step < 60 ? 8 : 5), at, TOP / 2);
  }
  pen.textAlign = 'left';
}

/** The colour of a name: always the same one. */
function hue(name) {
  let sum = 7;
  for (let i = 0; i < name.length; i += 1) sum = (sum * 31 + name.charCodeAt(i)) % 997;
  return [212, 168, 262, 32, 190, 292, 142, 48, 232, 330][sum % 10];
}

function lane(pen, own, y, { x, from, to, width, start, isDark, colours, font }) {
  if (own.isHead) {
    pen.fillStyle = colours.sunk;
    pen.fillRect(0, y, width, LANE);
    pen.fillStyle = colours.text;
    pen.font = `600 12px ${font}`;
    pen.fillText(fitted(pen, own.process, width - 16), 8, y + LANE / 2 + 0.5);
    pen.font = `12px ${font}`;
    return;
  }
  for (const one of own.spans) {
    const end = one.began + one.took;
    if (end < from || one.began > to) continue;
    const at = Math.max(start, x(one.began));
    const wide = Math.max(1.2, Math.min(width, x(end)) - at);
    const isBad = one.outcome === 'failed';
    pen.fillStyle = isBad ? colours.bad : `hsl(${hue(one.name)} ${isDark ? '42% 52%' : '52% 62%'})`;
    pen.globalAlpha = under && under.own === one ? 1 : 0.85;
    pen.fillRect(at, y + 3, wide, LANE - 6);
    pen.globalAlpha = 1;
    if (wide > 34) {
      pen.fillStyle = isBad && !isDark ? '#fff' : '#0b0d0f';
      pen.fillText(fitted(pen, (isBad ? '✗ ' : '') + one.name, wide - 8), at + 4, y + LANE / 2 + 0.5);
    }
  }
  pen.fillStyle = colours.panel;
  pen.fillRect(0, y, start, LANE);
  pen.fillStyle = own.isTasks ? colours.muted : colours.text;
  pen.fillText(fitted(pen, own.label, start - 24), 16, y + LANE / 2 + 0.5);
}

/** As much of a text as there is room for. */
function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let length = Math.max(0, Math.floor((text.length * room) / pen.measureText(text).width) - 1);
  while (length > 0 && pen.measureText(`${text.slice(0, length)}…`).width > room) length -= 1;
  return length > 0 ? `${text.slice(0, length)}…` : '';
}

// ---- moving ------------------------------------------------------------------------------------------------------------

/** The span at a place, the shortest of those that cover it. */
function at(event) {
  const own = box().getBoundingClientRect();
  const [px, py] = [event.clientX - own.left, event.clientY - own.top];
  const found = lanes[Math.floor((py - TOP + eye.top) / LANE)];
  if (!found || found.isHead || px < left() || py < TOP) return null;
  const [from, to] = range();
  const each = (to - from) / (own.width - left());
  const t = from + (px - left()) * each;
  const hits = found.spans.filter((one) => one.began - 2 * each <= t && t <= one.began + one.took + 2 * each);
  const best = hits.reduce((short, one) => (!short || one.took < short.took ? one : short), null);
  return best && { own: best, lane: found, x: px, y: py };
}

function zoom(by, part) {
  const [from, to] = range();
  const point = from + (to - from) * part;
  const length = Math.min(7200, Math.max(0.001, eye.length * by));
  const end = point + length * (1 - part);
  const isLive = eye.end === null && part > 0.98;
  eye.length = length;
  eye.end = isLive || end >= now() ? null : end;
  draw();
}

function move(seconds) {
  const end = (eye.end ?? now()) + seconds;
  eye.end = end >= now() ? null : end;
  draw();
}

function grab(event) {
  grabbed = { x: event.clientX, y: event.clientY, moved: false };
  under = null;
}
window.addEventListener('pointermove', (event) => {
  const own = box();
  if (!own) return;
  if (grabbed) {
    const [dx, dy] = [event.clientX - grabbed.x, event.clientY - grabbed.y];
    if (!grabbed.moved && Math.hypot(dx, dy) < 4) return;
    Object.assign(grabbed, { x: event.clientX, y: event.clientY, moved: true });
    eye.top -= dy;
    if (dx) move((-dx * eye.length) / Math.max(1, own.clientWidth - left())); else draw();
  } else if (own.contains(event.target)) {
    const found = at(event);
    if (found || under) { under = found; draw(); }
  } else if (under) { under = null; draw(); }
});
window.addEventListener('pointerup', (event) => {
  const was = grabbed;
  grabbed = null;
  if (!was || was.moved || !box()?.contains(event.target)) return;
  const found = at(event);
  const row = found?.own.actor && store.rows.find((own) => own.id && !own.host && actorId(own.id) === actorId(found.own.actor));
  if (row) go({ actor: row.path });
});
window.addEventListener('wheel', (event) => {
  const own = event.target.closest?.('.canvas');
  if (!own) return;
  event.preventDefault();
  const rect = own.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey || event.altKey) zoom(Math.exp(event.deltaY * 0.004), Math.min(1, Math.max(0, (event.clientX - rect.left - left()) / (rect.width - left()))));
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(((event.deltaX || event.deltaY) * eye.length) / (rect.width - left()));
  else { eye.top += event.deltaY; draw(); }
}, { passive: false });

function keys(event) {
  const moves = { ArrowLeft: () => move(-eye.length / 5), ArrowRight: () => move(eye.length / 5), ArrowDown: () => { eye.top += LANE * 2; draw(); }, ArrowUp: () => { eye.top -= LANE * 2; draw(); },
    '+': () => zoom(0.7, 0.5), '-': () => zoom(1 / 0.7, 0.5), End: () => { eye.end = null; draw(); } };
  if (!moves[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
}
