// Where each actor of the tree is drawn, and what is folded. No document in here.

/** Pixels of a row, and between two columns. */
export const ROW = 37;
const GAP = 28;

/** So many children are drawn before the others, if all is well with them, become one line. */
const CHILDREN = 14;

const folded = new Map();
const revealed = new Set();
let everything = null;

/** Branches of the system alone and large ones are folded until somebody unfolds them, or something in them needs to be seen. */
export function isOpen(row) {
  if (folded.has(row.path)) return folded.get(row.path);
  if (row.worst === 'bad') return true;
  if (everything !== null) return everything || row.depth < 1;
  return row.depth < 2 || (row.users > 0 && (row.below <= 200 || !row.kids.some((kid) => kid.kids.length === 0 && kid.id)));
}

/** How wide the card of a row is: as its words want it. */
function widthOf(row, words) {
  const { name, second } = words(row);
  const wanted = 38 + Math.max(name.length * 7.7, second.length * 5.9) + (row.kids.length ? 26 : 0) + (row.restarts ? 34 : 0);
  return Math.round(Math.min(236, Math.max(84, wanted)));
}

export const toggle = (row) => folded.set(row.path, !isOpen(row));

/** All of them, whatever was said before. */
export function openAll(open) {
  folded.clear();
  revealed.clear();
  everything = open;
}

/** All children of a row, and the way to it. */
export function reveal(row) {
  revealed.add(row.path);
  for (let own = row; own; own = own.parent) {
    folded.set(own.path, true);
    revealed.add(own.path);
  }
}

/** Which children are drawn: all of few, of many those that need to be seen. */
function drawn(row) {
  if (!isOpen(row)) return { kids: [], rest: 0 };
  if (row.kids.length <= CHILDREN || revealed.has(row.path)) return { kids: row.kids, rest: 0 };
  const wanted = row.kids.filter((kid, i) => i < CHILDREN - 2 || kid.mood || kid.worst || kid.healed);
  const kids = wanted.slice(0, CHILDREN * 4);
  return { kids, rest: row.kids.length - kids.length };
}

/** Cards and the lines between them, from left to right; `words` gives the texts of a card. Each column is as wide as its widest. */
export function layout(rows, words) {
  const nodes = [];
  const links = [];
  const widths = [];
  let y = 0;
  const place = (row) => {
    const width = widthOf(row, words);
    const node = { row, depth: row.depth, y, width };
    widths[row.depth] = Math.max(widths[row.depth] ?? 0, width);
    const { kids, rest } = drawn(row);
    // The first child stands on the line of its parent, so that the eye goes straight on.
    const own = kids.map((kid, i) => { if (i) y += ROW; return place(kid); });
    if (rest) {
      y += ROW;
      own.push({ rest, parent: row, key: `${row.path}+`, depth: row.depth + 1, y, width: 150 });
    }
    for (const to of own) {
      if (to.rest) nodes.push(to);
      links.push({ from: node, to, key: to.row?.path ?? to.key, mood: to.rest ? 'rest' : to.row.mood || to.row.worst });
    }
    nodes.push(node);
    return node;
  };
  // What a head shows is not deep; a chain of owners is not drawn here.
  rows.filter((row) => !row.parent).forEach((row, i) => { if (i) y += ROW; place(row); });
  const lefts = [0];
  widths.forEach((width, i) => { lefts[i + 1] = lefts[i] + width + GAP; });
  for (const node of nodes) node.x = lefts[node.depth] ?? 0;
  return { nodes, links, height: y + ROW, width: (lefts[widths.length] ?? GAP) - GAP };
}
