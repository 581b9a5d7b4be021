// From the spans of processes to lanes. No document in here.

import { secs } from './ui.js';

/** Lanes of tasks that one process has at most; what would need more is drawn over others in the last one. */
const MOST = 48;

/** Of each process a head, its tasks on as few lanes as ran at once, and a lane for each actor; system actors where they are wanted. */
export function lanesOf(processes, system) {
  const out = [];
  for (const process of [...processes].sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }))) {
    const wanted = process.spans.filter((own) => system || own.kind === 'task' || own.actor);
    if (!wanted.length) continue;
    const name = `${process.name.replace(/^part /, '')} · pid ${process.pid}`;
    out.push({ isHead: true, process: name, spans: [] });
    const tasks = [];
    const actors = new Map();
    for (const own of wanted) {
      const one = { ...own, began: secs(own.began), took: secs(own.took) };
      if (own.kind === 'task') tasks.push(one);
      else {
        const key = `${own.line}-${own.actor?.number ?? ''}`;
        if (!actors.has(key)) actors.set(key, { label: own.line, process: name, spans: [] });
        actors.get(key).spans.push(one);
      }
    }
    apart(tasks).forEach((spans, i) => out.push({ label: `tasks ${i + 1}`, isTasks: true, process: name, spans }));
    // Those of users first: their names end in a number.
    const byName = [...actors.values()].sort((a, b) => b.label.includes('#') - a.label.includes('#') || a.label.localeCompare(b.label, 'en', { numeric: true }));
    out.push(...byName);
  }
  return out;
}

/** So that none lies over another. */
function apart(spans) {
  const lanes = [];
  const free = [];
  for (const own of spans.sort((a, b) => a.began - b.began)) {
    let i = free.findIndex((from) => from <= own.began);
    if (i < 0) i = Math.min(lanes.length, MOST - 1);
    (lanes[i] ??= []).push(own);
    free[i] = Math.max(free[i] ?? 0, own.began + own.took);
  }
  return lanes;
}
