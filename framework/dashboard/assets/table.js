// A table of any length: only the rows that are seen exist.

import { h } from './ui.js';

const HEIGHT = 30;

/** The columns that there is room for. */
export function seen(columns, params) {
  const room = innerWidth - (innerWidth < 900 ? 0 : 168 + (params.has('actor') ? 400 : 0));
  return columns.filter((column) => (column.hide === 'medium' ? room >= 1040 : column.hide === 'narrow' ? room >= 760 : true));
}

/**
 * `columns`: {id, label, cell(row), sort(row)?, num?, wide?, title?}. What is kept of a table between two looks is in `state`:
 * {sort, down, top, height, focus}.
 */
export function table({ state, columns, rows, keyOf, onOpen, isOpen, label, again, moodOf, emptyText }) {
  const column = columns.find((own) => own.id === state.sort && own.sort);
  const sorted = column ? [...rows].sort((a, b) => compare(column.sort(a), column.sort(b)) * (state.down ? -1 : 1)) : rows;
  state.rows = sorted;
  const first = Math.max(0, Math.floor((state.top ?? 0) / HEIGHT) - 6);
  const last = Math.min(sorted.length, first + Math.ceil((state.height ?? 900) / HEIGHT) + 14);
  const template = columns.map((own) => own.width ?? 'minmax(0,1fr)').join(' ');
  const move = (event) => keys(event, { state, sorted, keyOf, onOpen, again });
  const head = h('div', { class: 'tr head', role: 'row', style: { 'grid-template-columns': template } },
    columns.map((own) => h('div', { class: `td ${own.num ? 'num' : ''} ${own.hide ?? ''}`, role: 'columnheader', 'aria-sort': state.sort === own.id ? (state.down ? 'descending' : 'ascending') : null },
      own.sort ? h('button', { class: 'sort', onclick: () => { state.down = state.sort === own.id ? !state.down : !!own.num; state.sort = own.id; again(); } },
        own.label, h('i', { 'aria-hidden': 'true' }, state.sort === own.id ? (state.down ? ' ↓' : ' ↑') : '')) : own.label)));
  const body = sorted.slice(first, last).map((row, i) => {
    const key = keyOf(row);
    return h('div', {
      class: `tr ${moodOf?.(row) ?? ''} ${isOpen?.(row) ? 'open' : ''} ${state.focus === key ? 'focus' : ''}`, role: 'row', key,
      'aria-rowindex': first + i + 2, style: { 'grid-template-columns': template, top: `${(first + i) * HEIGHT}px` },
      onclick: onOpen ? () => { state.focus = key; onOpen(row); } : null,
    }, columns.map((own) => h('div', { class: `td ${own.num ? 'num' : ''} ${own.hide ?? ''}`, role: 'cell' }, own.cell(row))));
  });
  return h('div', { class: 'table', role: 'table', 'aria-label': label, 'aria-rowcount': sorted.length + 1 }, head,
    h('div', {
      class: 'rows', tabindex: '0', 'aria-label': `${label}: arrows move, Enter opens`, onkeydown: move,
      onscroll: (event) => { state.top = event.target.scrollTop; state.height = event.target.clientHeight; again(); },
    }, h('div', { class: 'tall', style: { height: `${Math.max(1, sorted.length) * HEIGHT}px` } },
      sorted.length ? body : h('div', { class: 'none' }, emptyText ?? 'nothing'))));
}

/** Makes this row the chosen one, and scrolls the box of the table so that it stands in the middle. */
export function reach(state, key, keyOf, box) {
  state.focus = key;
  const at = state.rows.findIndex((row) => keyOf(row) === key);
  if (!box || at < 0) return;
  box.scrollTop = at * HEIGHT - (box.clientHeight - HEIGHT) / 2;
  state.top = box.scrollTop;
}

function compare(a, b) {
  if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b), 'en', { numeric: true });
  return (a ?? -Infinity) - (b ?? -Infinity);
}

function keys(event, { state, sorted, keyOf, onOpen, again }) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
  const at = sorted.findIndex((row) => keyOf(row) === state.focus);
  if (event.key in steps) {
    const next = Math.max(0, Math.min(sorted.length - 1, (at < 0 ? (steps[event.key] > 0 ? -1 : 0) : at) + steps[event.key]));
    if (!sorted[next]) return;
    state.focus = keyOf(sorted[next]);
    const box = event.currentTarget;
    if (next * HEIGHT < box.scrollTop) box.scrollTop = next * HEIGHT;
    if ((next + 1) * HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = (next + 1) * HEIGHT - box.clientHeight;
    event.preventDefault();
    again();
  } else if (event.key === 'Enter' && at >= 0) onOpen?.(sorted[at]);
}
