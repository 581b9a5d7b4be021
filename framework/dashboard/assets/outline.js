// The same tree as an outline: for small screens, for keyboards, and for reading aloud.

import { h, num, stateTag, stateOf, healedTag, percent } from './ui.js';
import { store } from './store.js';
import { draw } from './app.js';
import { table, reach } from './table.js';
import { isOpen, toggle } from './treemap.js';
import { roleName } from './nodes.js';

const state = {};

/** The rows that are not in a folded branch. */
function unfolded(find) {
  if (find) {
    const wanted = new Set();
    for (const row of store.rows) {
      if (!row.path.toLowerCase().includes(find) && !row.type_name.toLowerCase().includes(find)) continue;
      for (let own = row; own && !wanted.has(own); own = own.parent) wanted.add(own);
    }
    return store.rows.filter((row) => wanted.has(row));
  }
  const out = [];
  let hidden = Infinity;
  for (const row of store.rows) {
    if (row.depth > hidden) continue;
    hidden = row.kids.length && !isOpen(row) ? row.depth : Infinity;
    out.push(row);
  }
  return out;
}

/** Brings one into view, whose branches are unfolded. */
export function goTo(row, find) {
  state.rows = unfolded(find);
  reach(state, row.path, (own) => own.path, document.querySelector('.view-tree .rows'));
  draw();
}

export function outline({ focus, find, params, onOpen }) {
  const columns = [
    { id: 'name', label: 'Name', width: 'minmax(150px,3fr)', cell: (row) => [h('span', { class: 'indent', style: { width: `${row.depth * (innerWidth < 720 ? 8 : 14)}px` } }),
      row.kids.length ? h('button', { class: 'twist', 'aria-label': `${isOpen(row) ? 'Fold' : 'Unfold'} ${row.name}`, 'aria-expanded': String(isOpen(row)), onclick: (event) => { event.stopPropagation(); toggle(row); draw(); } }, isOpen(row) ? '▾' : '▸') : h('span', { class: 'twist' }),
      h(row.id ? 'b' : 'span', {}, row.name), !isOpen(row) && row.below ? h('span', { class: 'muted' }, ` +${num(row.below)}`) : null, healedTag(row)] },
    { id: 'state', label: 'State', width: '118px', cell: (row) => (row.mood ? stateTag(row.process?.stale ? 'old' : row.state, row.mood) : row.worst ? stateTag('child down', row.worst) : stateOf(row, row.state)) },
    { id: 'strategy', label: 'Strategy', width: '110px', hide: 'narrow', cell: (row) => h('span', { class: 'muted' }, row.process ? roleName(row) : row.strategy ?? row.type_name) },
    { id: 'queue', label: 'Queue', num: true, width: '64px', hide: 'narrow', cell: (row) => (row.queued ? num(row.queued) : h('span', { class: 'muted' }, '0')) },
    { id: 'rate', label: 'Msg/s', num: true, width: '66px', hide: 'narrow', cell: (row) => (row.rate ? num(row.rate < 10 ? Math.round(row.rate * 10) / 10 : Math.round(row.rate)) : h('span', { class: 'muted' }, '0')) },
    { id: 'busy', label: 'Busy', num: true, width: '60px', hide: 'narrow', cell: (row) => (row.share > 0.0005 ? percent(Math.min(1, row.share)) : h('span', { class: 'muted' }, '0 %')) },
    { id: 'restarts', label: '↻', num: true, width: '38px', cell: (row) => (row.restarts ? h('b', {}, num(row.restarts)) : h('span', { class: 'muted' }, '0')) },
  ].filter((column) => !column.hide || innerWidth >= 720);
  if (focus) state.focus ??= focus;
  return table({ state, columns, rows: unfolded(find), keyOf: (row) => row.path, label: 'Supervision tree', again: draw, moodOf: (row) => row.mood || (row.worst ? `${row.worst} way` : ''), onOpen, isOpen: (row) => row.path === params.get('actor') });
}
