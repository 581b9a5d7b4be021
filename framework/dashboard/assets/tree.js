// Who supervises whom, as a map that is moved and zoomed, or as an outline. What fails is red, and so is the way to it.

import { h, s, num, span, secs, glyph, tone, tag, empty, stateTag } from './ui.js';
import { store } from './store.js';
import { draw, go } from './app.js';
import { layout as place, ROW, isOpen, toggle, openAll, reveal } from './treemap.js';
import { outline, goTo } from './outline.js';
import { roleName } from './nodes.js';

const layout = (rows) => place(rows, words);
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** What stands on a card: its name, and below it what is worth knowing of it now. */
function words(row) {
  const state = row.process?.stale ? `silent for ${span(secs(row.process.stale))}` : row.state;
  const second = row.mood ? state : row.process ? roleName(row) : row.queued > 0 ? `${num(row.queued)} queued` : row.host ? `in ${row.host}` : row.id ? row.type_name : '';
  return { name: short(row.name, 24), second: second === row.name ? '' : short(second, 28) };
}

const eye = { x: 24, y: 24, zoom: 1, isSet: false };
let drag = null;
let focus = null;

export function view(params) {
  const mode = params.get('as') ?? (innerWidth < 720 ? 'outline' : 'map');
  const find = (params.get('find') ?? '').toLowerCase().trim();
  const hits = find ? store.rows.filter((row) => row.path.toLowerCase().includes(find) || row.type_name.toLowerCase().includes(find)) : [];
  const bad = store.troubles.filter((row) => row.mood === 'bad');
  const next = (rows) => {
    const row = rows[(rows.findIndex((own) => own.path === focus) + 1) % rows.length];
    if (mode === 'map') show(row); else { focus = row.path; reveal(row); goTo(row, find); }
  };
  return [h('h1', { class: 'sr' }, 'Supervision tree'),
    h('div', { class: 'bar', key: 'bar' },
      h('input', { type: 'search', placeholder: 'Find an actor   /', 'aria-label': 'Find an actor', value: params.get('find') ?? '', oninput: (event) => go({ find: event.target.value }),
        onkeydown: (event) => { if (event.key === 'Enter' && hits.length) next(hits); } }),
      find ? h('span', { class: 'muted' }, hits.length ? `${num(hits.length)} found, Enter goes there` : 'none') : null,
      h('div', { class: 'chips', role: 'group', 'aria-label': 'How it is drawn' }, ['map', 'outline'].map((id) =>
        h('button', { key: id, class: `chip ${id === mode ? 'on' : ''}`, 'aria-pressed': String(id === mode), onclick: () => go({ as: id }) }, id))),
      h('div', { class: 'chips', key: 'folds' }, h('button', { class: 'chip', onclick: () => { openAll(true); draw(); } }, 'unfold'), h('button', { class: 'chip', onclick: () => { openAll(false); draw(); } }, 'fold'),
        mode === 'map' && h('button', { class: 'chip', onclick: fit }, 'fit')),
      bad.length ? h('button', { class: 'chip bad', key: 'bad', title: 'From one to the next', onclick: () => next(bad) }, '✗ show what fails') : null,
      h('span', { class: 'muted total' }, store.more ? `${num(store.more)} more did not fit` : `${num(store.rows.length)} actors`)),
    !store.rows.length ? empty('One moment …') : mode === 'map' ? map(params, new Set(hits.map((row) => row.path))) : outline({ focus, find, params, onFocus: (path) => { focus = path; draw(); }, onOpen: (row) => go({ actor: row.path }) })];
}

const box = () => document.querySelector('.map')?.getBoundingClientRect() ?? { width: 1000, height: 640, left: 0, top: 0 };

function map(params, hits) {
  const { nodes, links, height, width } = layout(store.rows);
  const { width: w, height: hgt } = box();
  if (!eye.isSet && document.querySelector('.map')) {
    eye.isSet = true;
    fitTo(width, height);
    const chosen = store.byPath.get(params.get('actor'));
    if (chosen) show(chosen);
  }
  const seen = { top: (-eye.y) / eye.zoom - ROW, bottom: (hgt - eye.y) / eye.zoom + ROW, left: (-eye.x) / eye.zoom - 240, right: (w - eye.x) / eye.zoom + 20 };
  const visible = (y) => y >= seen.top && y <= seen.bottom;
  const shownNodes = nodes.filter((node) => visible(node.y) && node.x >= seen.left && node.x <= seen.right);
  const depth = { bad: 2, warn: 1 };
  const shownLinks = links.filter(({ from, to }) => Math.max(from.y, to.y) >= seen.top && Math.min(from.y, to.y) <= seen.bottom)
    .sort((a, b) => (depth[a.mood] ?? 0) - (depth[b.mood] ?? 0));
  return h('div', { class: 'map', key: 'map', tabindex: '0', role: 'tree', 'aria-label': 'Supervision tree: arrows move, Enter opens, space folds, plus and minus zoom',
    onpointerdown: grab, onkeydown: (event) => keys(event, nodes) },
  s('svg', { width: '100%', height: '100%' }, s('g', { transform: `translate(${eye.x.toFixed(1)} ${eye.y.toFixed(1)}) scale(${eye.zoom.toFixed(3)})` },
    s('g', { key: 'links' }, shownLinks.map(({ from, to, mood, key }) => s('path', { key, class: `link ${mood}`, d: curve(from, to) }))),
    s('g', { key: 'nodes' }, shownNodes.map((node) => (node.rest ? more(node) : one(node, params, hits)))))),
  h('div', { class: 'zoom', key: 'zoom' }, h('button', { onclick: () => zoom(1.3), 'aria-label': 'Nearer' }, '+'), h('button', { onclick: () => zoom(1 / 1.3), 'aria-label': 'Farther' }, '−')),
  legend());
}

/** Straight on to the first child, and down along the gap to the others. */
function curve(from, to) {
  const x = from.x + from.width;
  if (from.y === to.y) return `M${x},${from.y} H${to.x}`;
  const bend = to.x - 14;
  return `M${x},${from.y} H${bend - 6} Q${bend},${from.y} ${bend},${from.y + 6} V${to.y - 6} Q${bend},${to.y} ${bend + 6},${to.y} H${to.x}`;
}

function legend() {
  return h('p', { class: 'legend', key: 'legend' }, stateTag('running'), stateTag('child down', 'bad'), stateTag('restarting'), stateTag('failed'), stateTag('pending'), tag('healed', 'ok'));
}

function one(node, params, hits) {
  const { row, width } = node;
  const { name, second } = words(row);
  const isAbove = !row.mood && row.worst;
  const mood = row.mood || (row.worst ? `${row.worst} way` : tone(row.state));
  const word = isAbove ? 'child down' : row.state;
  const sign = row.mood ? glyph(row.process?.stale ? 'old' : row.state) : isAbove ? '◐' : glyph(row.state);
  const classes = ['node', mood, row.healed && 'healed', row.path === params.get('actor') && 'open', row.path === focus && 'focus', hits.has(row.path) && 'hit', row.id && 'user', row.host && 'elsewhere'];
  return s('g', { key: row.path, class: classes.filter(Boolean).join(' '), transform: `translate(${node.x} ${node.y})`, role: 'treeitem',
    'aria-expanded': row.kids.length ? String(isOpen(row)) : null, 'aria-label': `${row.name}, ${word}`, onclick: () => { if (!drag?.moved) { focus = row.path; go({ actor: row.path }); } } },
  s('title', {}, `${row.path}\n${word}${row.last_cause ? `\nlast: ${row.last_cause}` : ''}`),
  s('rect', { class: 'card', x: 0, y: -15, width, height: 30, rx: 6 }),
  row.healed ? s('rect', { class: 'pulse', x: -3, y: -18, width: width + 6, height: 36, rx: 8 }) : null,
  s('text', { class: 'sign', x: 13, y: 4.5 }, sign),
  s('text', { class: 'name', x: 26, y: second ? -1 : 4.5 }, name),
  second ? s('text', { class: 'second', x: 26, y: 10.5 }, second) : null,
  row.restarts ? s('text', { class: 'restarts', x: width - (row.kids.length ? 30 : 8), y: 4, 'text-anchor': 'end' }, `↻ ${num(row.restarts)}`) : null,
  row.kids.length ? s('g', { class: 'fold', onclick: (event) => { event.stopPropagation(); toggle(row); draw(); } }, s('rect', { x: width - 28, y: -15, width: 28, height: 30 }), s('text', { x: width - 14, y: 4, 'text-anchor': 'middle' }, isOpen(row) ? '−' : `+${num(row.below)}`)) : null);
}

const more = (node) => s('g', { key: node.key, class: 'node more', transform: `translate(${node.x} ${node.y})`, onclick: () => { reveal(node.parent); draw(); } },
  s('rect', { class: 'card', x: 0, y: -12, width: node.width, height: 24, rx: 12 }), s('text', { class: 'name', x: node.width / 2, y: 4, 'text-anchor': 'middle' }, `${num(node.rest)} more, all well`));

// ---- moving ------------------------------------------------------------------------------------------------------------

function zoom(by, at) {
  const own = box();
  const point = at ?? { x: own.width / 2, y: own.height / 2 };
  const next = Math.min(2.5, Math.max(0.12, eye.zoom * by));
  eye.x = point.x - ((point.x - eye.x) * next) / eye.zoom;
  eye.y = point.y - ((point.y - eye.y) * next) / eye.zoom;
  eye.zoom = next;
  draw();
}

/** As much as can be read: all of its width if that is not too small, from the top on. */
function fitTo(width, height, least = 0.66) {
  const own = box();
  eye.zoom = Math.min(1.15, Math.max(least, Math.min((own.width - 40) / width, (own.height - 48) / height, 1.15)));
  if (least > 0.5) eye.zoom = Math.max(eye.zoom, Math.min(1, (own.width - 40) / width));
  eye.x = 20;
  eye.y = Math.max(32, (own.height - height * eye.zoom) / 2);
}

function fit() {
  const { width, height } = layout(store.rows);
  fitTo(width, height, 0.12);
  draw();
}

/** Goes where this one is. */
function show(row) {
  reveal(row);
  focus = row.path;
  const node = layout(store.rows).nodes.find((own) => own.row?.path === row.path);
  if (node) {
    const own = box();
    eye.isSet = true;
    eye.zoom = Math.max(eye.zoom, 0.9);
    eye.x = own.width / 2 - (node.x + node.width / 2) * eye.zoom;
    eye.y = own.height / 2 - node.y * eye.zoom;
  }
  draw();
}

const pointers = new Map();
function grab(event) {
  if (event.target.closest('button')) return;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  drag = { x: event.clientX, y: event.clientY, moved: false };
}
window.addEventListener('pointermove', (event) => {
  const was = pointers.get(event.pointerId);
  if (!was) return;
  if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const apart = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    const own = box();
    zoom(apart({ x: event.clientX, y: event.clientY }) / apart(was), { x: (event.clientX + other.x) / 2 - own.left, y: (event.clientY + other.y) / 2 - own.top });
  } else {
    eye.x += event.clientX - was.x;
    eye.y += event.clientY - was.y;
    if (drag && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
    draw();
  }
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
});
for (const end of ['pointerup', 'pointercancel']) window.addEventListener(end, (event) => pointers.delete(event.pointerId));
window.addEventListener('wheel', (event) => {
  const own = event.target.closest?.('.map');
  if (!own) return;
  event.preventDefault();
  const { left, top } = own.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey || !event.deltaX && Math.abs(event.deltaY) >= 40) zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), { x: event.clientX - left, y: event.clientY - top });
  else { eye.x -= event.deltaX; eye.y -= event.deltaY; draw(); }
}, { passive: false });

function keys(event, nodes) {
  const own = nodes.filter((node) => node.row);
  const at = own.find((node) => node.row.path === focus) ?? own[0];
  const to = (row) => { if (row) { const node = own.find((other) => other.row === row); if (node) look(node); } };
  const near = (by) => own.filter((node) => node.depth === at.depth).sort((a, b) => a.y - b.y).find((node, i, all) => all[i - by] === at);
  const moves = { ArrowLeft: () => to(at.row.parent), ArrowRight: () => { if (isOpen(at.row)) to(at.row.kids[0]); else if (at.row.kids.length) toggle(at.row); }, ArrowDown: () => to(near(1)?.row), ArrowUp: () => to(near(-1)?.row),
    Enter: () => go({ actor: at.row.path }), ' ': () => toggle(at.row), '+': () => zoom(1.2), '-': () => zoom(1 / 1.2), '0': fit };
  if (!moves[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
  draw();
}

/** Makes it the chosen one, and moves there if it is not seen. */
function look(node) {
  focus = node.row.path;
  const own = box();
  const [x, y] = [eye.x + node.x * eye.zoom, eye.y + node.y * eye.zoom];
  if (x < 10) eye.x += 40 - x;
  if (x + node.width * eye.zoom > own.width) eye.x -= x + node.width * eye.zoom - own.width + 40;
  if (y < 30) eye.y += 60 - y;
  if (y > own.height - 30) eye.y -= y - own.height + 60;
}
