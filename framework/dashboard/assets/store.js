// What is known of the cluster: the tree as the head tells it, each second what has changed, and what follows from that.

import { secs } from './ui.js';

const HISTORY = 180;
const HEALED_FOR = 6;
const rank = { bad: 2, warn: 1 };

/** All that is known. Views read it and change nothing. */
export const store = {
  rows: [], byPath: new Map(), status: null, at: 0, more: 0, seq: 0,
  link: 'connecting', lostSince: 0, why: '',
  totals: { actors: 0, system: 0, states: {}, rate: 0, cpu: 0, memory: 0, processes: 0, restarts: 0 },
  history: { rate: [], cpu: [], memory: [], actors: [], restarts: [] },
  troubles: [],
};

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());

/** The head's time now, in seconds since 1970. */
export const now = () => (store.at ? store.at + (performance.now() - store.heard) / 1000 : Date.now() / 1000);

// ---- from rows to what is shown ---------------------------------------------------------------------------------------

function mood(row, process) {
  if (row.state === 'failed' || row.state === 'restarting') return 'bad';
  const full = row.queue_limit > 0 ? row.queued / row.queue_limit : 0;
  if (full >= 0.85) return 'bad';
  if (row.state === 'pending' || row.remark || full >= 0.5 || (row.process && process?.stale)) return 'warn';
  return '';
}

/** One actor, wherever it lives: its next life may be a row elsewhere. */
const whoIs = (row) => `${row.id.runtime}-${row.id.number} ${row.name}`;

/** Adds to each row its place and what is to be said of it. */
function derive(rows, before, passed) {
  const wasBad = new Set([...before.values()].filter((row) => row.id && row.mood === 'bad').map(whoIs));
  const isBad = new Set(rows.filter((row) => row.id && mood(row, row.process) === 'bad').map(whoIs));
  const byPath = new Map();
  const open = [];
  const twins = new Map();
  const own = new Map();
  const totals = { actors: 0, system: 0, states: {}, rate: 0, cpu: 0, memory: 0, processes: 0, restarts: 0 };
  rows.forEach((row, index) => {
    while (open.length > row.depth) open.pop();
    const parent = open[open.length - 1] ?? null;
    let path = parent ? `${parent.path}/${row.name}` : row.name;
    if (byPath.has(path)) {
      const count = (twins.get(path) ?? 1) + 1;
      twins.set(path, count);
      path += `~${count}`;
    }
    const was = before.get(path);
    const same = was && was !== row && was.handled <= row.handled;
    row.index = index;
    row.path = path;
    row.parent = parent;
    row.kids = [];
    row.below = 0;
    row.users = row.id ? 1 : 0;
    row.worst = '';
    row.home = row.process ? row : parent?.home ?? null;
    if (passed > 0) {
      row.rate = was === row ? 0 : same ? (row.handled - was.handled) / passed : 0;
      row.share = was === row ? 0 : same ? Math.max(0, secs(row.busy) - secs(was.busy)) / passed : 0;
      if (row.busy_for && row.share === 0) row.share = 1;
      if (row.process) row.cpu = was?.process && was !== row ? Math.max(0, secs(row.process.cpu) - secs(was.process.cpu)) / passed : null;
    } else Object.assign(row, { rate: was?.rate ?? 0, share: was?.share ?? 0, cpu: was?.cpu ?? null });
    row.mood = mood(row, row.process);
    const heals = was?.mood === 'bad' || (row.id && wasBad.has(whoIs(row)) && !isBad.has(whoIs(row)));
    row.healed = row.mood === 'bad' || row.mood === 'warn' ? 0 : heals ? store.at : was?.healed ?? 0;
    if (store.at - row.healed > HEALED_FOR) row.healed = 0;
    // When the page was opened everybody had been so for a while.
    row.since = was ? (was.state === row.state ? was.since : store.at) : passed > 0 ? store.at : null;
    byPath.set(path, row);
    if (parent) parent.kids.push(row);
    open[row.depth] = row;
    open.length = row.depth + 1;
    if (row.id) {
      // One that lives elsewhere is counted there, unless it has no life: then its stand-in speaks for it.
      const key = whoIs(row);
      if (!row.host || (row.mood && !own.has(key))) own.set(row.host ? key : `${key} ${path}`, row.state);
      if (!row.host) own.delete(key);
    } else totals.system += 1;
    totals.rate += row.rate;
    totals.restarts += row.restarts;
    if (row.process) {
      totals.processes += 1;
      totals.cpu += row.cpu ?? 0;
      totals.memory += row.process.memory;
    }
  });
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const { parent } = rows[i];
    if (!parent) continue;
    parent.below += rows[i].below + 1;
    parent.users += rows[i].users;
    const worst = (rank[rows[i].mood] ?? 0) >= (rank[rows[i].worst] ?? 0) ? rows[i].mood : rows[i].worst;
    if ((rank[worst] ?? 0) > (rank[parent.worst] ?? 0)) parent.worst = worst;
  }
  for (const state of own.values()) totals.states[state] = (totals.states[state] ?? 0) + 1;
  totals.actors = own.size;
  return { byPath, totals };
}

function take(rows, at, seq, more) {
  const passed = store.at && store.rows.length ? at - store.at : 0;
  const before = store.byPath;
  store.at = at;
  store.heard = performance.now();
  Object.assign(store, { rows, seq, more }, derive(rows, before, passed));
  store.troubles = rows.filter((row) => row.mood).sort((a, b) => (rank[b.mood] - rank[a.mood]) || a.index - b.index);
  const push = (list, value) => { list.push(value); if (list.length > HISTORY) list.shift(); };
  if (passed > 0) {
    push(store.history.rate, store.totals.rate);
    push(store.history.cpu, store.totals.cpu);
  }
  push(store.history.memory, store.totals.memory);
  push(store.history.actors, store.totals.actors);
  push(store.history.restarts, store.totals.restarts);
}

/** The rows after these changes; null when they belong to others. */
export function apply(rows, edits) {
  const next = [];
  let at = 0;
  for (const edit of edits) {
    if ('keep' in edit) {
      if (at + edit.keep > rows.length) return null;
      for (let i = 0; i < edit.keep; i += 1) next.push(rows[at + i]);
      at += edit.keep;
    } else if ('drop' in edit) at += edit.drop;
    else for (const row of edit.put) next.push(row);
  }
  return at === rows.length ? next : null;
}

/** Numbers that are too large for this language are kept as texts: those of runtimes are drawn by lot. */
const read = (text) => JSON.parse(text.replace(/"(runtime|number)":(\d{16,})/g, '"$1":"$2"'));

// ---- the stream -------------------------------------------------------------------------------------------------------

let source = null;
let wait = 1000;

function lost(why) {
  if (store.link !== 'lost') store.lostSince = now();
  store.link = 'lost';
  store.why = why;
  changed();
}

/** The session is over: nothing more is asked. */
export function leave() {
  source?.close();
  store.link = 'out';
  changed();
}

/** Listens to the head, and goes on listening. */
export function connect() {
  source?.close();
  source = new EventSource('/api/v1/stream');
  const heard = (event, use) => {
    wait = 1000;
    store.link = 'live';
    use(read(event.data));
    changed();
  };
  source.addEventListener('tree', (event) => heard(event, (tree) => take(tree.rows, secs(tree.captured_at), tree.seq, tree.more)));
  source.addEventListener('changes', (event) => heard(event, (changes) => {
    const rows = changes.from === store.seq ? apply(store.rows, changes.edits) : null;
    if (rows) take(rows, secs(changes.captured_at), changes.seq, changes.more);
    else connect();
  }));
  source.addEventListener('cluster', (event) => heard(event, (status) => { store.status = status; store.statusAt = now(); }));
  source.addEventListener('silent', (event) => { store.link = 'silent'; store.why = JSON.parse(event.data); changed(); });
  source.addEventListener('ends', () => lost('the head ends'));
  source.addEventListener('out', leave);
  source.onerror = async () => {
    source.close();
    lost('the head does not answer');
    try {
      const asked = await fetch('/api/v1/cluster');
      if (asked.status === 401) { store.link = 'out'; changed(); return; }
    } catch { /* it is gone, and may come back */ }
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 15000);
  };
}

/** Asks one thing. Throws an error with the head's own words. */
export async function ask(name, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined && value !== '' && value !== null));
  const asked = await fetch(`/api/v1/${name}?${query}`);
  const body = read(await asked.text());
  if (asked.ok) return body.data;
  if (asked.status === 401) { store.link = 'out'; changed(); }
  throw Object.assign(new Error(body.error?.message ?? asked.statusText), { near: body.error?.near ?? [], status: asked.status });
}

/** Something that is asked for while a view shows it, and then every so often. */
export class Poll {
  constructor(every, asks, then) { Object.assign(this, { every, asks, then, data: null, error: null, timer: null, isOn: false }); }
  start() { if (!this.isOn) { this.isOn = true; this.run(); } return this; }
  stop() { this.isOn = false; clearTimeout(this.timer); }
  async run() {
    clearTimeout(this.timer);
    try { this.data = await this.asks(); this.error = null; } catch (error) { this.error = error; }
    if (!this.isOn) return;
    this.then();
    if (this.every) this.timer = setTimeout(() => (document.hidden ? this.again() : this.run()), this.every);
  }
  again() { if (this.isOn) this.timer = setTimeout(() => this.run(), this.every); }
}
