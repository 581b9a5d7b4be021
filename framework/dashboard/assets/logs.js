// What processes have written to their outputs.

import { h, num, empty, tag } from './ui.js';
import { store, Poll, ask } from './store.js';
import { draw, go } from './app.js';
import { roleName } from './nodes.js';

const TAILS = [200, 1000, 5000];
let asked = { pid: '', output: '', tail: 1000 };
let follows = true;
const poll = new Poll(2000, () => (asked.pid ? ask('logs', { which: which(asked.pid), output: asked.output, tail: asked.tail }) : null), draw);
export const leave = () => { poll.stop(); poll.data = null; };

/** A process by its place, since two machines may know the same number; by its number where two have one place. */
function which(pid) {
  const row = store.rows.find((own) => own.process && String(own.process.pid) === pid);
  return row && !row.path.includes('~') ? row.path.split('/').slice(1).join('/') || row.path : pid;
}

/** The processes, as they stand below each other. */
const processes = () => store.rows.filter((row) => row.process);

export function view(params) {
  const all = processes();
  const first = all.find((row) => row.process.role?.part) ?? all[0];
  const pid = params.get('pid') ?? String(first?.process.pid ?? '');
  const wanted = { pid, output: params.get('output') ?? '', tail: Number(params.get('tail')) || 1000 };
  if (wanted.pid !== asked.pid || wanted.output !== asked.output || wanted.tail !== asked.tail) {
    if (wanted.pid !== asked.pid) { poll.data = null; follows = true; }
    asked = wanted;
    poll.error = null;
    poll.stop();
  }
  poll.start();
  const find = (params.get('find') ?? '').toLowerCase();
  const lines = (poll.data?.lines ?? []).filter((line) => !find || line.text.toLowerCase().includes(find));
  const said = poll.data;
  return [h('h1', { class: 'sr' }, 'Logs'),
    h('div', { class: 'bar', key: 'bar' },
      h('select', { 'aria-label': 'Process', class: 'pick', onchange: (event) => go({ pid: event.target.value }) }, all.map((row) =>
        h('option', { key: row.path, value: row.process.pid, selected: String(row.process.pid) === pid }, `${roleName(row)}  ·  pid ${row.process.pid}`))),
      h('input', { type: 'search', placeholder: 'Lines with   /', 'aria-label': 'Only lines with', value: params.get('find') ?? '', oninput: (event) => go({ find: event.target.value }) }),
      h('div', { class: 'chips', role: 'group', 'aria-label': 'Output' }, [['', 'both'], ['out', 'out'], ['err', 'err']].map(([id, label]) =>
        h('button', { key: label, class: `chip ${id === asked.output ? 'on' : ''}`, 'aria-pressed': String(id === asked.output), onclick: () => go({ output: id || null }) }, label))),
      h('div', { class: 'chips', role: 'group', 'aria-label': 'How many lines of each output' }, TAILS.map((count) =>
        h('button', { key: count, class: `chip ${count === asked.tail ? 'on' : ''}`, 'aria-pressed': String(count === asked.tail), onclick: () => go({ tail: count === 1000 ? null : count }) }, num(count)))),
      h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: follows, onchange: (event) => { follows = event.target.checked; draw(); } }), 'follow'),
      h('span', { class: 'muted total' }, said ? `${num(lines.length)} lines${said.is_cut ? ', older ones are in the files' : ''}` : '')),
    poll.error ? h('section', { class: 'panel', key: 'error' }, empty(poll.error.message, 'Kept is what the workers of jobs write, and what other processes write that raytree has started.'))
      : h('div', { class: 'lines mono', key: `lines-${pid}`, tabindex: '0', role: 'log', 'aria-label': 'Lines', onscroll: (event) => {
        const own = event.target;
        const isAtEnd = own.scrollTop + own.clientHeight > own.scrollHeight - 40;
        if (isAtEnd !== follows) { follows = isAtEnd; draw(); }
      } }, lines.length ? parts(lines) : h('p', { class: 'none' }, said ? (find ? 'No line has this.' : 'It has written nothing.') : 'One moment …')),
    said ? h('p', { class: 'muted foot', key: 'folder' }, 'Files: ', h('span', { class: 'mono' }, said.folder), said.source.node ? ` on ${said.source.node}` : '') : null];
}

/** Standard output first, then standard error, as each was written. */
function parts(lines) {
  const both = ['out', 'err'].map((output) => lines.filter((line) => line.output === output)).filter((own) => own.length);
  return both.map((own) => [both.length > 1 ? h('h3', { key: own[0].output }, own[0].output === 'out' ? 'standard output' : 'standard error', tag(num(own.length))) : null,
    h('pre', { key: `pre-${own[0].output}`, class: `std${own[0].output}` }, own.map((line) => line.text).join('\n'))]);
}

/** Where it is followed, the last line is seen. */
export function drawn() {
  const own = document.querySelector('.lines');
  if (own && follows) own.scrollTop = own.scrollHeight;
}
