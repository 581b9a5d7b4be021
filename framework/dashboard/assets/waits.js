// Who waits for whom: deadlocks first.

import { h, empty, panel } from './ui.js';
import { Poll, ask } from './store.js';
import { draw } from './app.js';
import { storyOf } from './detail.js';
import { missing } from './tasks.js';

const poll = new Poll(2000, () => ask('waits'), draw);
export const leave = () => poll.stop();

export function view() {
  poll.start();
  const stories = poll.data?.stories ?? [];
  const circles = stories.filter((story) => story.is_cycle).length;
  return [h('h1', { class: 'sr' }, 'Waits'),
    poll.error ? empty(poll.error.message) : null,
    missing(poll.data),
    panel('Who waits for whom', { class: stories.length ? '' : 'calm', aside: circles ? `${circles} deadlock${circles > 1 ? 's' : ''}` : null }, stories.length
      ? h('div', { class: 'stories' }, stories.map((story) => h('article', { key: story.about }, h('h3', { class: 'mono' }, story.about), storyOf(story, true))))
      : empty(poll.data ? 'Nobody has waited for an answer for longer than a second.' : 'One moment …', 'Calls without an answer stand here, and circles of them are named as deadlocks.'))];
}
