//! Which lines are shown, in which order, and which of them is selected.
//!
//! Invariants:
//! - **LV-2 (selected-is-shown):** when any line is shown, one is selected and it is among them; otherwise none is.
//! - **LV-3 (nothing-hides-trouble):** what has failed or restarts is shown, whatever is folded, looked for or sorted by; in a tree all
//!   above it, too.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use raytree_types::inspect::TreeRow;

use crate::fold::{Fold, Key, is_stuck};

/// The order of rows on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As a tree.
    #[default]
    Tree,
    /// A flat list, the longest queue first.
    Queue,
    /// A flat list, the busiest first.
    Busy,
    /// A flat list of processes, the largest first.
    Memory,
    /// A flat list, the most restarts first.
    Restarts,
}

impl Order {
    /// The next one that `o` leads to.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Tree => Self::Queue,
            Self::Queue => Self::Busy,
            Self::Busy => Self::Memory,
            Self::Memory => Self::Restarts,
            Self::Restarts => Self::Tree,
        }
    }

    /// Its name on the screen.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Queue => "queue",
            Self::Busy => "busy",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
        }
    }
}

/// Levels above a line of which the screen reminds the reader.
pub(crate) const LEVELS: u32 = 64;

/// A line on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Which.
    pub(crate) line: u32,
    /// Lines right below it that are folded away, with all below these.
    pub(crate) folded_away: u64,
    /// No sibling of it is shown after it.
    pub(crate) is_last: bool,
    /// For each of the [`LEVELS`] levels above it, the nearest first: a sibling of that one is shown after it.
    pub(crate) open: u64,
}

impl Shown {
    fn of(line: u32) -> Self {
        Self { line, folded_away: 0, is_last: false, open: 0 }
    }
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct List {
    shown: Vec<Shown>,
    selected: Option<Key>,
    /// Where that is among those shown.
    at: usize,
    /// The first on the screen.
    top: usize,
    /// Lines on the screen.
    page: usize,
    /// Everything is folded but what is in `exceptions`; otherwise the other way round.
    all_folded: bool,
    exceptions: HashSet<Key>,
    /// What is typed to be found, in lower case.
    filter: String,
    only_trouble: bool,
    order: Order,
    /// Columns that the longest name takes, with what stands before it and after it.
    longest_name: usize,
}

impl List {
    /// Nothing is known yet; it will be in this order.
    pub(crate) fn ordered(order: Order) -> Self {
        Self { order, ..Self::default() }
    }

    /// Chooses anew among lines that have changed.
    pub(crate) fn refresh(&mut self, fold: &Fold) {
        if self.exceptions.len() > fold.lines().len() {
            self.exceptions.retain(|key| fold.find(*key).is_some());
        }
        match (self.order, self.is_choosy()) {
            (Order::Tree, false) => self.show_tree(fold),
            (Order::Tree, true) => self.show_found(fold),
            (order, _) => self.show_sorted(fold, order),
        }
        let on_screen = self.at.saturating_sub(self.top);
        self.select_again(fold);
        // What comes before all others is seen by whoever looks at the first.
        if self.order == Order::Tree || self.top > 0 {
            self.top = self.at.saturating_sub(on_screen);
        }
        self.scroll();
    }

    fn is_choosy(&self) -> bool {
        self.only_trouble || !self.filter.is_empty()
    }

    /// The tree without what is folded away.
    fn show_tree(&mut self, fold: &Fold) {
        self.shown.clear();
        let lines = fold.lines();
        // Those above the present line: where each is among those shown, and whether it is folded, itself or with another.
        let mut above: Vec<(usize, bool)> = Vec::new();
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            above.truncate(line.depth as usize);
            let in_folded = above.last().is_some_and(|(_, folded)| *folded);
            if in_folded && !line.is_down && !line.down_below {
                if let Some((parent, _)) = above.last() {
                    let hidden = (at..line.end as usize).map(|at| 1 + fold.row(at).hidden);
                    self.shown[*parent].folded_away += hidden.sum::<u64>();
                }
                at = line.end as usize;
                continue;
            }
            above.push((self.shown.len(), in_folded || self.is_folded(line.key)));
            self.shown.push(Shown::of(at as u32));
            at += 1;
        }
        self.relate(fold);
    }

    /// Which lines lead on to siblings that are shown.
    fn relate(&mut self, fold: &Fold) {
        let depth = |shown: &Shown| fold.lines()[shown.line as usize].depth as usize;
        let mut follows: Vec<bool> = Vec::new();
        for shown in self.shown.iter_mut().rev() {
            let depth = depth(shown);
            follows.resize(depth + 1, false);
            shown.is_last = !std::mem::replace(&mut follows[depth], true);
        }
        let mut above: Vec<u64> = Vec::new();
        self.longest_name = 0;
        for shown in &mut self.shown {
            let depth = depth(shown);
            let row = fold.row(shown.line as usize);
            let folded_away = match shown.folded_away + row.hidden {
                0 => 0,
                count => 3 + count.ilog10() as usize,
            };
            let name = 2 * depth + 2 + row.name.len() + folded_away;
            self.longest_name = self.longest_name.max(name);
            above.truncate(depth);
            shown.open = above.last().copied().unwrap_or_default();
            above.push(shown.open << 1 | u64::from(!shown.is_last));
        }
    }

    /// What is looked for or down, and all above it.
    fn show_found(&mut self, fold: &Fold) {
        let lines = fold.lines();
        let mut found = vec![false; lines.len()];
        for (at, line) in lines.iter().enumerate().rev() {
            found[at] |= line.is_down || self.is_wanted(fold.row(at));
            if let (true, Some(parent)) = (found[at], line.parent) {
                found[parent as usize] = true;
            }
        }
        self.shown.clear();
        let wanted = found.iter().zip(0..).filter(|(found, _)| **found);
        self.shown.extend(wanted.map(|(_, line)| Shown::of(line)));
        self.relate(fold);
    }

    /// What is looked for or down as a flat list; what is gone has its place in it as long as it has one in the tree.
    fn show_sorted(&mut self, fold: &Fold, order: Order) {
        let mut ranked: Vec<(u64, u32)> = Vec::new();
        for (at, line) in fold.lines().iter().enumerate() {
            let row = fold.row(at);
            let memory = row.process.as_ref().map(|process| process.memory);
            let is_wanted = self.is_wanted(row) && (order != Order::Memory || memory.is_some());
            if !is_wanted && !line.is_down {
                continue;
            }
            let rank = match order {
                Order::Tree => 0,
                Order::Queue => row.queued,
                Order::Busy => (line.rates.map_or(0.0, |rates| rates.busy) * 1e6) as u64,
                Order::Memory => memory.unwrap_or_default(),
                Order::Restarts => u64::from(row.restarts),
            };
            ranked.push((rank, at as u32));
        }
        // What stands before a name is its path, and takes what there is.
        self.longest_name = usize::MAX;
        ranked.sort_unstable_by_key(|(rank, at)| (std::cmp::Reverse(*rank), *at));
        self.shown.clear();
        self.shown.extend(ranked.into_iter().map(|(_, line)| Shown::of(line)));
    }

    fn is_wanted(&self, row: &TreeRow) -> bool {
        if self.only_trouble && !row.in_trouble() && !is_stuck(row) {
            return false;
        }
        let has = |text: &str| contains(text, &self.filter);
        self.filter.is_empty()
            || has(&row.name)
            || has(&row.type_name)
            || row.host.as_deref().is_some_and(has)
            || self.filter.starts_with("actor-") && row.id.is_some_and(|id| has(&id.to_string()))
    }

    /// Finds the selected line again; the nearest above it where it is folded away, and whatever stands there now where it is
    /// gone.
    fn select_again(&mut self, fold: &Fold) {
        let mut line = self.selected.and_then(|key| fold.find(key));
        while let Some(at) = line {
            if let Some(place) = self.place_of(at) {
                return self.select(fold, place);
            }
            line = fold.lines()[at].parent.map(|parent| parent as usize);
        }
        self.select(fold, self.at);
    }

    fn place_of(&self, line: usize) -> Option<usize> {
        match self.order {
            Order::Tree => self.shown.binary_search_by_key(&line, |shown| shown.line as usize).ok(),
            _ => self.shown.iter().position(|shown| shown.line as usize == line),
        }
    }

    fn select(&mut self, fold: &Fold, at: usize) {
        self.at = at.min(self.shown.len().saturating_sub(1));
        let shown = self.shown.get(self.at);
        self.selected = shown.map(|shown| fold.lines()[shown.line as usize].key);
    }

    /// The selected one is on the screen, and the screen is full where it can be.
    fn scroll(&mut self) {
        let page = self.page.max(1);
        let most = self.shown.len().saturating_sub(page);
        self.top = self.top.clamp((self.at + 1).saturating_sub(page), self.at).min(most);
    }

    /// So many lines fit on the screen.
    pub(crate) fn resize(&mut self, page: usize) {
        self.page = page;
        self.scroll();
    }

    /// Selects another one, so many lines further down.
    pub(crate) fn go(&mut self, fold: &Fold, lines: isize) {
        self.select(fold, self.at.saturating_add_signed(lines));
        self.scroll();
    }

    /// Selects the line of a key, also where it is folded away.
    pub(crate) fn go_to(&mut self, fold: &Fold, line: usize) {
        let mut above = fold.lines().get(line).and_then(|line| line.parent);
        while let Some(parent) = above {
            let line = &fold.lines()[parent as usize];
            self.set_folded(line.key, false);
            above = line.parent;
        }
        self.selected = fold.lines().get(line).map(|line| line.key);
        self.refresh(fold);
    }

    /// Folds or unfolds the selected line; `None` does the other of what it is.
    pub(crate) fn fold(&mut self, fold: &Fold, folded: Option<bool>) {
        let Some((at, key)) = self.line().zip(self.selected) else { return };
        let line = &fold.lines()[at];
        if self.order != Order::Tree {
            return;
        }
        let is_folded = self.is_folded(key) || line.below(at) == 0;
        match folded {
            // From a folded one upwards, from an unfolded one downwards: as in every tree of files.
            Some(true) if is_folded => {
                if let Some(place) = line.parent.and_then(|parent| self.place_of(parent as usize)) {
                    self.select(fold, place);
                }
            }
            Some(false) if !is_folded => self.select(fold, self.at + 1),
            _ => {
                let folded = folded.unwrap_or(!self.is_folded(key));
                self.set_folded(key, folded && line.below(at) > 0);
            }
        }
        self.refresh(fold);
    }

    /// Unfolds everything, or folds all but the tops.
    pub(crate) fn fold_all(&mut self, fold: &Fold, folded: bool) {
        self.all_folded = folded;
        self.exceptions.clear();
        if folded {
            let tops = fold.lines().iter().filter(|line| line.depth == 0);
            self.exceptions.extend(tops.map(|line| line.key));
        }
        self.refresh(fold);
    }

    /// Whether what is below a line is folded away.
    pub(crate) fn is_folded(&self, key: Key) -> bool {
        self.exceptions.contains(&key) != self.all_folded
    }

    fn set_folded(&mut self, key: Key, folded: bool) {
        if folded == self.all_folded {
            self.exceptions.remove(&key);
        } else {
            self.exceptions.insert(key);
        }
    }

    /// Shows only what contains this text.
    pub(crate) fn set_filter(&mut self, fold: &Fold, filter: &str) {
        self.filter = filter.to_lowercase();
        self.refresh(fold);
    }

    /// Shows only what is in trouble, or everything.
    pub(crate) fn toggle_trouble(&mut self, fold: &Fold) {
        self.only_trouble = !self.only_trouble;
        self.refresh(fold);
    }

    /// The next order. Who sorts wants to see the first ones.
    pub(crate) fn next_order(&mut self, fold: &Fold) {
        self.order = self.order.next();
        self.refresh(fold);
        if self.order != Order::Tree {
            self.go(fold, isize::MIN);
        }
    }

    /// Selects the next line that is down; where none is, the next one in trouble.
    pub(crate) fn go_to_trouble(&mut self, fold: &Fold) {
        let down = |shown: &Shown| fold.lines()[shown.line as usize].is_down;
        let trouble = |shown: &Shown| {
            let row = fold.row(shown.line as usize);
            row.in_trouble() || is_stuck(row)
        };
        let after = self.shown.iter().enumerate().skip(self.at + 1);
        let all = after.chain(self.shown.iter().enumerate().take(self.at));
        let next = all.clone().find(|(_, shown)| down(shown));
        let next = next.or_else(|| {
            let is_down_itself = self.shown.get(self.at).is_some_and(down);
            all.clone().find(|(_, shown)| !is_down_itself && trouble(shown))
        });
        if let Some((at, _)) = next {
            self.select(fold, at);
            self.scroll();
        }
    }

    /// The selected line.
    pub(crate) fn line(&self) -> Option<usize> {
        self.selected.and(self.shown.get(self.at)).map(|shown| shown.line as usize)
    }

    /// Where the selected line is among those shown.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Those on the screen, and where the first of them is among all that are shown.
    pub(crate) fn on_screen(&self) -> (usize, &[Shown]) {
        let end = (self.top + self.page).min(self.shown.len());
        (self.top, self.shown.get(self.top..end).unwrap_or_default())
    }

    /// How many are shown.
    pub(crate) fn len(&self) -> usize {
        self.shown.len()
    }

    /// Lines of one screen.
    pub(crate) fn page(&self) -> usize {
        self.page
    }

    /// Columns that the longest name takes, with what stands before it and after it.
    pub(crate) fn longest_name(&self) -> usize {
        self.longest_name
    }

    /// Their order.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// Only what is in trouble is shown.
    pub(crate) fn only_trouble(&self) -> bool {
        self.only_trouble
    }
}

/// Whether `text` contains `part`, which is in lower case.
fn contains(text: &str, part: &str) -> bool {
    if !text.is_ascii() || !part.is_ascii() {
        return text.to_lowercase().contains(part);
    }
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|piece| piece.eq_ignore_ascii_case(part))
}
