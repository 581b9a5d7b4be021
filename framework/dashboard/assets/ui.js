// Elements, and how they become others without losing focus or scroll; numbers and times as people read them.

const SVG = 'http://www.w3.org/2000/svg';
const HANDLERS = ['onclick', 'onkeydown', 'oninput', 'onchange', 'onpointerdown', 'onsubmit', 'onscroll'];

function build(make, props, kids) {
  const el = make();
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(name)) el[name] = value;
    else if (name === 'style') Object.entries(value).forEach(([k, v]) => el.style.setProperty(k, v));
    else if (name === 'value') { el.value = value; el.setAttribute('value', value); }
    else el.setAttribute(name, value === true ? '' : value);
  }
  for (const kid of kids.flat(9)) {
    if (kid === undefined || kid === null || kid === false || kid === '') continue;
    el.append(kid instanceof Node ? kid : String(kid));
  }
  return el;
}

/** An element of HTML. `key` among its properties tells it from its siblings. */
export const h = (tag, props, ...kids) => build(() => document.createElement(tag), props, kids);
/** An element of SVG. */
export const s = (tag, props, ...kids) => build(() => document.createElementNS(SVG, tag), props, kids);

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute('key') : null);

/** Makes `from` what `to` is, keeping every element that stays. */
export function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || keyOf(from) !== keyOf(to)) {
    from.replaceWith(to);
    return to;
  }
  if (from.nodeType === 3) {
    if (from.data !== to.data) from.data = to.data;
    return from;
  }
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) === value) continue;
    // The policy of the page forbids styles in attributes; what a program sets is none.
    if (name === 'style') from.style.cssText = value;
    else from.setAttribute(name, value);
  }
  for (const name of HANDLERS) if (from[name] !== to[name]) from[name] = to[name];
  if ('value' in from && from !== document.activeElement && from.value !== to.value && from.tagName !== 'LI') from.value = to.value;
  if (from.hasAttribute('keep')) return from;
  morphKids(from, [...to.childNodes]);
  return from;
}

function morphKids(from, wanted) {
  const keyed = new Map();
  for (const kid of from.childNodes) if (keyOf(kid)) keyed.set(keyOf(kid), kid);
  let at = from.firstChild;
  for (const want of wanted) {
    const key = keyOf(want);
    const known = key ? keyed.get(key) : null;
    if (known) {
      keyed.delete(key);
      if (known === at) at = at.nextSibling;
      else from.insertBefore(known, at);
      morph(known, want);
    } else if (!key && at && !keyOf(at)) {
      const next = at.nextSibling;
      morph(at, want);
      at = next;
    } else from.insertBefore(want, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
  for (const rest of keyed.values()) if (rest.parentNode === from) rest.remove();
}

// ---- what people read -------------------------------------------------------------------------------------------------

/** Seconds of a duration as the JSON has it. */
export const secs = (d) => (d ? d.secs + d.nanos / 1e9 : 0);

const group = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

export function num(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return '–';
  const a = Math.abs(n);
  if (a >= 1e9) return one.format(n / 1e9) + ' G';
  if (a >= 1e7) return one.format(n / 1e6) + ' M';
  if (a >= 100 || Number.isInteger(n)) return group.format(n);
  return a >= 10 ? one.format(n) : two.format(n);
}

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (n >= 1024 && at < 4) { n /= 1024; at += 1; }
  return `${at === 0 ? group.format(n) : n < 100 ? one.format(n) : group.format(n)} ${units[at]}`;
}

/** A time span: `820 ms`, `4.2 s`, `3 min 20 s`, `2 h 14 min`, `3 d 4 h`. */
export function span(t) {
  if (t < 0.0000005) return '0 s';
  if (t < 0.001) return `${num(Math.round(t * 1e6))} µs`;
  if (t < 1) return `${num(Math.round(t * 1e3))} ms`;
  if (t < 60) return `${t < 10 ? one.format(t) : Math.round(t)} s`;
  if (t < 3600) return `${Math.floor(t / 60)} min ${Math.floor(t % 60)} s`;
  if (t < 86400) return `${Math.floor(t / 3600)} h ${Math.floor((t % 3600) / 60)} min`;
  return `${Math.floor(t / 86400)} d ${Math.floor((t % 86400) / 3600)} h`;
}

export const percent = (x) => (x > 0 && x < 0.01 ? '<1 %' : `${Math.round(x * 100)} %`);
export const ago = (then, now) => (now - then < 1 ? 'now' : `${span(Math.floor(now - then))} ago`);

/** A moment since 1970, by the clock of whoever reads. */
export function clock(t, millis = false) {
  const date = new Date(t * 1000);
  const text = date.toLocaleTimeString('en-GB', { hour12: false });
  return millis ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text;
}

export const plural = (n, word) => `${num(n)} ${word}${n === 1 ? '' : 's'}`;

// ---- states: always a sign and a word ---------------------------------------------------------------------------------

const STATES = {
  running: ['●', 'ok'], starting: ['○', 'calm'], pending: ['◇', 'warn'], restarting: ['◌', 'bad'], stopping: ['◑', 'calm'],
  stopped: ['□', 'calm'], failed: ['✗', 'bad'], 'child down': ['◐', 'warn'], old: ['?', 'warn'],
  waiting: ['◔', 'calm'], sent: ['→', 'calm'], queued: ['◇', 'calm'], 'pending arguments': ['◇', 'calm'], cancelled: ['⊘', 'calm'], finished: ['✓', 'ok'], ready: ['●', 'ok'],
  up: ['●', 'ok'], degraded: ['◐', 'warn'], suspect: ['?', 'warn'], fenced: ['✗', 'bad'],
};

export const tone = (state) => (STATES[state] ?? ['·', 'calm'])[1];
export const glyph = (state) => (STATES[state] ?? ['·', 'calm'])[0];

/** A state, as sign and word. */
export const stateTag = (state, mood) =>
  h('span', { class: `state ${mood ?? tone(state)}` }, h('i', { 'aria-hidden': 'true' }, glyph(state)), state);

/** That of an actor of the tree; where there is little room, that it has healed stands in its place. */
export const stateOf = (row, state, mood) =>
  (row.healed && innerWidth < 720 ? h('span', { class: 'state healed' }, h('i', { 'aria-hidden': 'true' }, glyph(row.state)), 'healed') : stateTag(state, mood));
/** Beside its name, where there is room. */
export const healedTag = (row) => (row.healed && innerWidth >= 720 ? tag('healed', 'ok') : null);

export const tag = (text, mood = '') => h('span', { class: `tag ${mood}` }, text);

/** How much of something is used. */
export function meter(used, total, label, mood) {
  const part = total > 0 ? Math.min(1, used / total) : 0;
  const own = mood ?? (part >= 0.85 ? 'bad' : part >= 0.5 ? 'warn' : '');
  return h('span', { class: `meter ${own}`, role: 'img', 'aria-label': label },
    h('span', { style: { width: `${part * 100}%` } }));
}

/** A line of the last values. */
export function spark(values, width = 120, height = 28, label = '') {
  const top = Math.max(...values, 1e-9);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(height - 2 - (v / top) * (height - 4)).toFixed(1)}`);
  return s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    values.length > 1 && s('path', { class: 'area', d: `M0,${height} L${points.join(' L')} L${width},${height} Z` }),
    values.length > 1 && s('path', { class: 'line', d: `M${points.join(' L')}` }));
}

export const empty = (title, ...more) => h('div', { class: 'empty' }, h('p', {}, title), more.length ? h('p', { class: 'muted' }, more) : null);
export const panel = (title, props, ...kids) =>
  h('section', { class: `panel ${props?.class ?? ''}`, key: props?.key ?? title },
    h('header', {}, h('h2', {}, title), props?.aside && h('span', { class: 'aside' }, props.aside)), kids);

/** The id of an actor as the command line writes it. */
export const actorId = (id) => (id ? `actor-${id.runtime}-${BigInt(id.number).toString(16)}` : '');
