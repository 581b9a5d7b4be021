// Programs that use the cluster, and actors that outlive theirs.

import { h, num, span, secs, panel, empty, tag } from './ui.js';
import { store, now } from './store.js';
import { go } from './app.js';

const amounts = (resources) => Object.entries(resources.amounts).map(([name, amount]) => `${num(amount / 1000)} ${name}`).join(', ');

export function view() {
  const { status } = store;
  if (!status) return empty('One moment …');
  const passed = Math.max(0, now() - store.statusAt);
  return [h('h1', { class: 'sr' }, 'Jobs'),
    panel('Jobs', { aside: num(status.jobs.length) }, status.jobs.length ? h('table', { class: 'small' },
      h('thead', {}, h('tr', {}, ['Job', 'Program', 'Workers', 'Actors', 'Age'].map((label, i) => h('th', { scope: 'col', class: i > 1 ? 'num' : '' }, label)))),
      h('tbody', {}, status.jobs.map((job) => h('tr', { key: job.job, tabindex: '0', onclick: () => go({ name: `job-${job.job}` }, 'actors'), onkeydown: (event) => event.key === 'Enter' && go({ name: `job-${job.job}` }, 'actors') },
        h('td', { class: 'mono' }, `job-${job.job}`), h('td', { class: 'long' }, job.program), h('td', { class: 'num' }, num(job.workers)), h('td', { class: 'num' }, num(actorsOf(job))),
        h('td', { class: 'num' }, span(Math.floor(secs(job.age) + passed))))))) : empty('No program uses the cluster now.', 'RAYTREE_ADDRESS=', status.address)),
    panel('Detached actors', { aside: num(status.detached_count) }, status.detached.length ? h('table', { class: 'small' },
      h('thead', {}, h('tr', {}, ['Name', 'Actor', 'Where', 'Restarts', 'Holds'].map((label, i) => h('th', { scope: 'col', class: i === 3 ? 'num' : '' }, label)))),
      h('tbody', {}, status.detached.map((own) => h('tr', { key: `${own.id.runtime}-${own.id.number}` }, h('td', {}, own.name ? [h('span', { class: 'muted' }, `${own.namespace}/`), own.name] : h('span', { class: 'muted' }, 'none')),
        h('td', {}, own.label), h('td', {}, own.node ?? tag('waits for a place', 'warn')), h('td', { class: 'num' }, num(own.restarts)), h('td', {}, amounts(own.wants) || 'nothing'))))) : empty('None.', 'A detached actor outlives the program that made it.'))];
}

const actorsOf = (job) => store.rows.filter((row) => row.id && !row.host && row.path.includes(`/job-${job.job}/`)).length;
