// What stands before every question that a test asks in the page.

const all = (selector) => [...document.querySelectorAll(selector)];
const texts = (selector) => all(selector).map((own) => own.textContent.trim());

/** The first that a selector finds whose text has all of these parts. */
const one = (selector, ...parts) => all(selector).find((own) => parts.every((part) => own.textContent.includes(part)));

/** A row of a table that has all of these parts. */
const row = (table, ...parts) => one(`.table[aria-label="${table}"] .rows .tr`, ...parts);

/** A card of the map, or a row of the outline, of an actor in this state. */
const inTree = (name, state) => all(`.map .node[aria-label^="${name}"]`).find((own) => own.ariaLabel.endsWith(`, ${state}`))
  ?? row('Supervision tree', name, state);

/** Of each view what is true once it shows the cluster of the test; `facts` is what the test knows of it. */
const shows = {
  cluster: () => texts('.tile strong')[0] === '2 / 2' && one('.tile', 'Actors', '3') && one('.procs li', 'node node-1'),
  nodes: ({ pids }) => texts('.cards h2').sort().join() === 'head,node-1'
    && pids.every((pid) => texts('table.small td:nth-child(2)').includes(String(pid))),
  tree: () => inTree('scores#', 'running') && inTree('keeper#', 'running'),
  actors: () => row('Actors', 'scores#', 'running') && row('Actors', 'keeper#', 'running') && row('Actors', 'asker#', 'running'),
  tasks: () => one('.progress li', 'waits', '0 / 1') && one('.progress li', 'square', '6 / 6')
    && row('Tasks', 'fails', 'failed') && row('Tasks', 'writes', 'finished') && row('Tasks', 'Keeper::opens', 'running'),
  objects: () => row('Objects', 'waits', 'pending'),
  jobs: ({ program }) => one('table.small tbody tr', 'job-1', program, '2'),
  events: () => row('Events', 'failed', 'scores#', 'the shard map is bad') && row('Events', 'up', 'scores#'),
  logs: ({ line }) => one('.lines pre', line),
  waits: () => one('.stories article', 'asker', 'waits for opens of keeper'),
  timeline: () => /^[1-9][\d,]* spans/.test(texts('.total')[0]) && / [1-9]\d* lanes/.test(all('.canvas')[0].ariaLabel) && hasColours(all('.canvas canvas')[0]),
};

/** Something is drawn on it that is not grey. */
function hasColours(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = data.slice(at, at + 3);
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > 60) return true;
  }
  return false;
}

/** What a person sees of it is a red. */
function isRed(own, paint) {
  const [red, green, blue] = getComputedStyle(own)[paint].match(/\d+/g).map(Number);
  return red > 1.4 * green && red > 1.4 * blue;
}

/** It is within the window, and nothing lies over it. */
function isSeen(own) {
  const { x, y, width, height } = own.getBoundingClientRect();
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  return !!top && (own.contains(top) || own.parentNode.contains(top));
}
